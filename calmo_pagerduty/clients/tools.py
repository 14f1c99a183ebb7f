"""The tools for other services of Calmo: typed arguments in, plain results out, over our REST API.

async with ToolClient("http://calmo-pagerduty:8080", api_key, connection="con_…") as pagerduty:
    found = await pagerduty.call("list_incidents", ListIncidents(statuses=("triggered",)))
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from calmo_pagerduty.clients.requests import ApiProblem, ApiRequest, call_state, issue_action, tool_call
from calmo_pagerduty.clients.rest import AsyncApiClient
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Arguments

POLL_SECONDS = 1.0
MAX_FAILED_POLLS = 120


class ToolProblem(Exception):
    """The call was refused or failed, or the service can't be reached; the message is for a person."""

    def __init__(self, message: str, status: int | None = None, rule: str | None = None) -> None:
        super().__init__(message)
        #: HTTP's: PagerDuty's own if PagerDuty refused it, else our service's.
        self.status = status
        #: Which rule refused it, if one did.
        self.rule = rule


class ToolCallReply(FrozenModel):
    """How a call stands. `result` once it is done; `call_id` is the ticket of one that goes on."""

    state: CallState
    tool: str
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    call_id: str | None = None
    workflow_id: str | None = None


class ToolClient:
    """Every call raises ToolProblem. Without `connection`, the only one that the key sees is meant."""

    def __init__(self, url: str, api_key: str, connection: str | None = None) -> None:
        self._connection = connection
        try:
            self._api = AsyncApiClient(url, api_key)
        except ApiProblem as problem:
            raise ToolProblem(problem.said) from problem

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

        It waits for an approval too, however long that takes; `ask` doesn't.
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
        """Call a tool; what takes longer than `wait_seconds` is answered by a ticket."""
        row = TOOLS.get(tool)
        if row is None or not isinstance(arguments, row.arguments):
            raise ToolProblem(f"{type(arguments).__name__} are not the arguments of a tool {tool!r}")
        given = arguments.model_dump(mode="json", exclude_unset=True)
        return await self._ask(tool_call(tool, given, self._connection, idempotency_key, wait_seconds))

    async def act(
        self,
        issue_id: str,
        action: Action,
        arguments: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> ToolCallReply:
        """Act on an issue's incident and wait until it is done: through an approval, and for as long as
        PagerDuty is away; `ask_to_act` doesn't. What makes no sense for the incident is a ToolProblem (409).
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
        """Act on an issue's incident; what takes longer than `wait_seconds` is answered by a ticket."""
        request = issue_action(issue_id, action, arguments or {}, idempotency_key, wait_seconds)
        return await self._ask(request)

    async def look(self, call_id: str) -> ToolCallReply:
        """Return how an earlier call stands."""
        return await self._ask(call_state(call_id))

    async def _until_finished(self, answer: ToolCallReply) -> ToolCallReply:
        while answer.state in OPEN_STATES and answer.call_id is not None:
            answer = await self._poll(answer.call_id)
        if answer.state is not CallState.DONE or answer.result is None:
            error = answer.error or {}
            words = f"{answer.tool} {answer.state}: {error.get('message', 'no details')}"
            raise ToolProblem(words, error.get("status"), error.get("rule"))
        return answer

    async def _poll(self, call_id: str) -> ToolCallReply:
        """Look after a while; a service that restarts meanwhile is no reason to forget the call."""
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
            raise ToolProblem(problem.said, problem.status, problem.rule) from problem
