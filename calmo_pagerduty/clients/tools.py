"""Calls tools for other services of Calmo, with typed arguments, over our REST API.

async with ToolClient("http://calmo-pagerduty:8080", api_key, connection="con_…") as pagerduty:
    incidents = await pagerduty.call("list_incidents", ListIncidents(statuses=("triggered",)))
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from calmo_pagerduty.clients.requests import (
    ApiProblem,
    ApiRequest,
    call_state,
    issue_action,
    tool_call,
    tool_order,
)
from calmo_pagerduty.clients.rest import AsyncApiClient
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Arguments

POLL_SECONDS = 1.0
MAX_FAILED_POLLS = 120


class ToolProblem(Exception):
    """The call was refused or failed, or the service can't be reached. The message is for a person."""

    def __init__(self, message: str, status: int | None = None, rule: str | None = None) -> None:
        super().__init__(message)
        #: HTTP status: PagerDuty's if PagerDuty refused, else our service's.
        self.status = status
        #: The rule that refused the call, if any.
        self.rule = rule


class ToolCallReply(FrozenModel):
    """A call's state, with `result` if it is done, or the ticket `call_id` if it is not finished."""

    state: CallState
    tool: str
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    call_id: str | None = None
    workflow_id: str | None = None


class ToolClient:
    """Calls tools. Methods raise ToolProblem. `connection` may be None if the key sees only one."""

    def __init__(self, url: str, api_key: str, connection: str | None = None) -> None:
        self._connection = connection
        try:
            self._api = AsyncApiClient(url, api_key)
        except ApiProblem as problem:
            raise ToolProblem(problem.detail) from problem

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.__aexit__(kind, error, trace)

    async def call(
        self, tool: str, arguments: Arguments, idempotency_key: str | None = None
    ) -> Mapping[str, Any]:
        """Call a tool, wait for it, and return its result.

        It also waits for an approval, without a time limit; `ask` doesn't.
        """
        answer = await self._until_finished(await self.ask(tool, arguments, idempotency_key))
        return answer.result or {}

    async def ask(
        self,
        tool: str,
        arguments: Arguments,
        idempotency_key: str | None = None,
        wait_seconds: float = 30.0,
    ) -> ToolCallReply:
        """Call a tool. If it takes longer than `wait_seconds`, the reply is a ticket."""
        given = _given(tool, arguments)
        return await self._ask(tool_call(tool, given, self._connection, idempotency_key, wait_seconds))

    async def order(self, tool: str, arguments: Arguments, idempotency_key: str) -> Mapping[str, Any]:
        """Return the input of a `ToolCallWorkflow` that makes this call, with our service's proof.

        Call it in an activity, and start the child workflow with what it returns, within 24 hours. The key
        needs the permission `tools:temporal`.
        """
        given = _given(tool, arguments)
        request = tool_order(tool, given, idempotency_key, self._connection)
        try:
            return {"order": (await self._api.ask(request))["order"]}
        except ApiProblem as problem:
            raise ToolProblem(problem.detail, problem.status, problem.rule) from problem

    async def act(
        self,
        issue_id: str,
        action: Action,
        arguments: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> ToolCallReply:
        """Act on an issue's incident and wait for the result.

        It also waits for an approval and for PagerDuty, without a time limit; `ask_to_act` doesn't. Raises
        ToolProblem (409) if the incident's status doesn't allow the action.
        """
        answer = await self.ask_to_act(issue_id, action, arguments, idempotency_key)
        return await self._until_finished(answer)

    async def ask_to_act(
        self,
        issue_id: str,
        action: Action,
        arguments: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait_seconds: float = 30.0,
    ) -> ToolCallReply:
        """Act on an issue's incident. If it takes longer than `wait_seconds`, the reply is a ticket."""
        request = issue_action(issue_id, action, arguments or {}, idempotency_key, wait_seconds)
        return await self._ask(request)

    async def look(self, call_id: str) -> ToolCallReply:
        """Return an earlier call's state."""
        return await self._ask(call_state(call_id))

    async def _until_finished(self, answer: ToolCallReply) -> ToolCallReply:
        while answer.state in OPEN_STATES and answer.call_id is not None:
            answer = await self._poll(answer.call_id)
        if answer.state is not CallState.DONE or answer.result is None:
            error = answer.error or {}
            message = f"{answer.tool} {answer.state}: {error.get('message', 'no details')}"
            raise ToolProblem(message, error.get("status"), error.get("rule"))
        return answer

    async def _poll(self, call_id: str) -> ToolCallReply:
        """Return the call's state after POLL_SECONDS. Tolerates a service that restarts meanwhile."""
        for _ in range(MAX_FAILED_POLLS):
            await asyncio.sleep(POLL_SECONDS)
            try:
                return await self.look(call_id)
            except ToolProblem as problem:
                if problem.status not in {None, 502, 503, 504}:
                    raise
        return await self.look(call_id)

    async def _ask(self, request: ApiRequest) -> ToolCallReply:
        try:
            return ToolCallReply.model_validate(await self._api.ask(request))
        except ApiProblem as problem:
            raise ToolProblem(problem.detail, problem.status, problem.rule) from problem


def _given(tool: str, arguments: Arguments) -> Mapping[str, Any]:
    """Return the arguments that were given, as JSON. Raises ToolProblem if they are another tool's."""
    row = TOOLS.get(tool)
    if row is None or not isinstance(arguments, row.arguments):
        raise ToolProblem(f"{type(arguments).__name__} are not the arguments of a tool {tool!r}")
    given: Mapping[str, Any] = arguments.model_dump(mode="json", exclude_unset=True)
    return given
