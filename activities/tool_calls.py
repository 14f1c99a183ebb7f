"""Calls of tools as their workflows see them."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeats import heartbeating
from activities.retrying import retried
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tool_calls.record_service import (
    CallToCreate,
    DecisionToRecord,
    NotFiled,
    NotTheirs,
    ToolCallRepository,
    ToolCallTicket,
)
from calmo_pagerduty.tool_calls.service import ToolCallService


class CallToCarryOut(FrozenModel):
    call_id: str


class CallToEnd(FrozenModel):
    call_id: str
    state: CallState
    why: str


class CallOutcome(FrozenModel):
    """How a call stands. Its result is in our database, not in a history."""

    call_id: str
    state: CallState


class ToolCallActivities:
    """A call as its workflow sees it: file, record a decision, carry out, end."""

    def __init__(self, records: ToolCallRepository, service: ToolCallService) -> None:
        self._records = records
        self._service = service

    @activity.defn
    async def file_call(self, order: CallToCreate) -> ToolCallTicket:
        """Keep a call that came through Temporal, if its caller may make it. Raises StoreUnavailable."""
        with _refusals():
            return await self._records.create(order)

    @activity.defn
    async def record_decision(self, decision: DecisionToRecord) -> CallOutcome:
        """Keep what a person decided; the answer says how the call stands."""
        with _refusals():
            return CallOutcome(call_id=decision.call_id, state=await self._records.decide(decision))

    @activity.defn
    async def end_call(self, order: CallToEnd) -> CallOutcome:
        """End a call that can't go on; one that has ended stays as it is. Raises StoreUnavailable."""
        with _refusals():
            state = await self._records.finish(order.call_id, order.state, {"message": order.why})
            return CallOutcome(call_id=order.call_id, state=state)

    @activity.defn
    async def carry_out(self, order: CallToCarryOut) -> CallOutcome:
        """Ask PagerDuty and keep the result. Raises ApplicationError for what is to be tried again."""
        async with heartbeating():
            with _refusals(), retried() as attempt:
                state = await self._service.carry_out(order.call_id, attempt)
                return CallOutcome(call_id=order.call_id, state=state)


@contextmanager
def _refusals() -> Iterator[None]:
    """A refusal is not tried again; it is to be expected: the caller is told, and no traceback is logged."""
    try:
        yield
    except (NotFiled, NotTheirs) as refusal:
        raise ApplicationError(
            str(refusal),
            type=type(refusal).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
