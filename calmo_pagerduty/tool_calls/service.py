"""Carry out calls of tools. Every step may run again after a crash: what was done is found again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from calmo_pagerduty.connections.acting_user_service import ActingUsers
from calmo_pagerduty.connections.service import PagerDutyAccounts
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.pagerduty.errors import AccessDenied, PagerDutyError
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.pagerduty.retries import ended_as, retry_wait
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tool_calls.record_service import Begun, ToolRecords
from calmo_pagerduty.tools.arguments import read_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Access, Arguments, Call, Tool

#: How long a step waits for its turn at PagerDuty's limit before it lets the engine wait instead.
STEP_PATIENCE = timedelta(seconds=5)


class ToolCallService:
    """Asks PagerDuty what tools plan, and keeps what becomes of calls that endure."""

    def __init__(self, records: ToolRecords, accounts: PagerDutyAccounts) -> None:
        self._records = records
        self._accounts = accounts
        self._acting = ActingUsers(accounts)

    async def ask(
        self, connection: Connection, tool: Tool, arguments: Arguments, call: Call, patience: timedelta
    ) -> JsonObject:
        """Ask PagerDuty once, waiting up to `patience` for each request's turn.

        Raises PagerDutyError, CannotDecrypt, StoreUnavailable.
        """
        client = await self._accounts.client(connection, patience)
        return await client.run(tool.plan(arguments, call))

    async def carry_out(self, call_id: str, attempt: int) -> CallState:
        """Ask PagerDuty and keep the result. Returns how the call stands.

        `attempt` counts from 1. Raises PagerDutyError for what is to be tried again, NotFiled, CannotDecrypt,
        StoreUnavailable.
        """
        begun = await self._records.begin(call_id)
        if isinstance(begun, CallState):
            return begun
        tool = TOOLS[begun.call.tool]
        try:
            arguments = read_arguments(tool, begun.call.arguments)
            context = await self._with_agent(begun)
            result = await self.ask(begun.connection, tool, arguments, context, STEP_PATIENCE)
        except PagerDutyError as error:
            return await self._failed(begun, tool, error, attempt)
        return await self._records.end(call_id, CallState.DONE, result=result)

    async def _with_agent(self, begun: Begun) -> Call:
        if begun.wants_agent and (agent := await self._acting.of(begun.connection, STEP_PATIENCE)):
            await self._records.known_as(begun.call.id, agent)
            return begun.context.model_copy(update={"agent_id": agent.id})
        return begun.context

    async def _failed(self, begun: Begun, tool: Tool, error: PagerDutyError, attempt: int) -> CallState:
        if not (begun.context.repeated or error.may_have_happened):
            await self._records.forget_attempt(begun)
        if retry_wait(error, attempt) is not None:
            raise error
        if isinstance(error, AccessDenied) and tool.access is Access.WRITE:
            await self._records.note_denied_write(begun.connection)
        return await self._records.end(begun.call.id, ended_as(error), in_words(error))


def in_words(error: PagerDutyError) -> Mapping[str, Any]:
    """Return what a caller is told of an error."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
    }
