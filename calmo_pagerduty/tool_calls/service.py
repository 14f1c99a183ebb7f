"""Carry out tool calls. Every step may run again after a crash: a plan then looks for its earlier effect."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from calmo_pagerduty.connections.acting_user_service import ActingUsers
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.pagerduty.errors import AccessDenied, AlreadySo, OutcomeUnknown, PagerDutyError
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.pagerduty.retries import nearest_row, retry_wait
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tool_calls.record_service import StartedAttempt, ToolCallRepository
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.model import Arguments, CallContext, Tool

#: How long an activity waits for a permit before it fails, so that Temporal waits and retries instead.
PERMIT_TIMEOUT = timedelta(seconds=5)
_FINAL_STATES: Mapping[type[PagerDutyError], CallState] = {
    AlreadySo: CallState.DONE,
    OutcomeUnknown: CallState.UNKNOWN,
}


class ToolCallService:
    """Runs tools' plans against PagerDuty, and records the outcomes of stored calls."""

    def __init__(self, records: ToolCallRepository, accounts: PagerDutyClients) -> None:
        self._records = records
        self._accounts = accounts
        self._acting = ActingUsers(accounts)

    async def run_tool(
        self, connection: Connection, tool: Tool, arguments: Arguments, call: CallContext, timeout: timedelta
    ) -> JsonObject:
        """Run the tool's plan once and return its result; `tool.shape` describes the JSON.

        Each request waits at most `timeout` for its permit. Raises PagerDutyError, CannotDecrypt,
        StoreUnavailable.
        """
        client = await self._accounts.client(connection, timeout)
        return await client.run(tool.plan(arguments, call))

    async def carry_out(self, call_id: str, attempt: int) -> CallState:
        """Run the call's tool and save its result. Returns the call's state.

        `attempt` counts from 1. Raises PagerDutyError for errors that a retry may fix, NotFiled,
        CannotDecrypt, StoreUnavailable.
        """
        started = await self._records.start_attempt(call_id)
        if isinstance(started, CallState):
            return started
        tool = TOOLS[started.call.tool]
        try:
            arguments = parse_arguments(tool, started.call.arguments)
            context = await self._with_agent(started)
            result = await self.run_tool(started.connection, tool, arguments, context, PERMIT_TIMEOUT)
        except PagerDutyError as error:
            return await self._end_failed(started, tool, error, attempt)
        return await self._records.finish(call_id, CallState.DONE, result=result)

    async def _with_agent(self, attempt: StartedAttempt) -> CallContext:
        if attempt.wants_agent and (agent := await self._acting.get(attempt.connection, PERMIT_TIMEOUT)):
            await self._records.save_agent(attempt.call.id, agent)
            return attempt.context.model_copy(update={"agent_id": agent.id})
        return attempt.context

    async def _end_failed(
        self, started: StartedAttempt, tool: Tool, error: PagerDutyError, attempt: int
    ) -> CallState:
        if not (started.context.repeated or error.may_have_happened):
            await self._records.mark_attempt_without_effect(started)
        if retry_wait(error, attempt) is not None:
            raise error
        if isinstance(error, AccessDenied) and tool.access is Access.WRITE:
            await self._records.mark_read_only(started.connection)
        return await self._records.finish(started.call.id, final_state(error), error_document(error))


def error_document(error: PagerDutyError) -> Mapping[str, Any]:
    """Return an error as JSON for the caller: type, message, HTTP status, PagerDuty's code and request id."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
    }


def final_state(error: PagerDutyError) -> CallState:
    """Return the state of a call that ended with this error."""
    return _FINAL_STATES.get(nearest_row(error), CallState.FAILED)
