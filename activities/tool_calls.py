"""Carry out calls of tools. Every step may run again after a crash: what was done is found again."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import activity

from activities.acting_users import ActingUsers
from activities.heartbeats import beating
from activities.pagerduty_accounts import PagerDutyAccounts
from activities.retrying import ended_as, to_be_tried_again
from activities.tool_records import Begun, CallToFile, DecisionToRecord, Filed, ToolRecords
from calmo_pagerduty.domain.api_errors import AccessDenied, PagerDutyError
from calmo_pagerduty.domain.api_requests import JsonObject
from calmo_pagerduty.domain.tool_calls import CallState
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.store.connections import Connection
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.reading import read_arguments
from calmo_pagerduty.tools.tool import Access, Arguments, Call, Tool

logger = logging.getLogger(__name__)

#: How long a step waits for its turn at PagerDuty's limit before it lets the engine wait instead.
STEP_PATIENCE = timedelta(seconds=5)


class CallToCarryOut(FrozenModel):
    call_id: str


class CallToEnd(FrozenModel):
    call_id: str
    state: CallState
    why: str


class CallEnd(FrozenModel):
    """How a call stands. Its result is in our database, not in a history."""

    call_id: str
    state: CallState


class ToolCalls:
    """A call as its workflow sees it: file, record a decision, carry out, end."""

    def __init__(self, records: ToolRecords, accounts: PagerDutyAccounts) -> None:
        self._records = records
        self._accounts = accounts
        self._acting = ActingUsers(accounts)

    @activity.defn
    async def file_call(self, order: CallToFile) -> Filed:
        """Keep a call that came through Temporal, if its caller may make it. Raises StoreUnavailable."""
        return await self._records.file(order)

    @activity.defn
    async def record_decision(self, decision: DecisionToRecord) -> CallEnd:
        """Keep what a person decided; the answer says how the call stands. Raises NotTheirs."""
        return CallEnd(call_id=decision.call_id, state=await self._records.decide(decision))

    @activity.defn
    async def end_call(self, order: CallToEnd) -> CallEnd:
        """End a call that can't go on; one that has ended stays as it is. Raises StoreUnavailable."""
        state = await self._records.end(order.call_id, order.state, {"message": order.why})
        return CallEnd(call_id=order.call_id, state=state)

    @activity.defn
    async def carry_out(self, order: CallToCarryOut) -> CallEnd:
        """Ask PagerDuty and keep the result. Raises ApplicationError for what is to be tried again."""
        async with beating():
            return CallEnd(call_id=order.call_id, state=await self._carry_out(order.call_id))

    async def ask(
        self, connection: Connection, tool: Tool, arguments: Arguments, call: Call, patience: timedelta
    ) -> JsonObject:
        """Ask PagerDuty once, waiting up to `patience` for each request's turn.

        Raises PagerDutyError, CannotDecrypt, StoreUnavailable.
        """
        client = await self._accounts.client(connection, patience)
        return await client.run(tool.plan(arguments, call))

    async def _carry_out(self, call_id: str) -> CallState:
        begun = await self._records.begin(call_id)
        if isinstance(begun, CallState):
            return begun
        tool = TOOLS[begun.call.tool]
        try:
            arguments = read_arguments(tool, begun.call.arguments)
            context = await self._with_agent(begun)
            result = await self.ask(begun.connection, tool, arguments, context, STEP_PATIENCE)
        except PagerDutyError as error:
            return await self._failed(begun, tool, error)
        return await self._records.end(call_id, CallState.DONE, result=result)

    async def _with_agent(self, begun: Begun) -> Call:
        if begun.wants_agent and (agent := await self._acting.of(begun.connection, STEP_PATIENCE)):
            await self._records.known_as(begun.call.id, agent)
            return begun.context.model_copy(update={"agent_id": agent.id})
        return begun.context

    async def _failed(self, begun: Begun, tool: Tool, error: PagerDutyError) -> CallState:
        if not (begun.context.repeated or error.may_have_happened):
            await self._records.forget_attempt(begun)
        again = to_be_tried_again(error, activity.info().attempt)
        if again is not None:
            raise again from None
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
