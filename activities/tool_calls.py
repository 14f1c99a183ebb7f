"""The activities of a tool call's workflow."""

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
    """The tool call whose plan the activity runs."""

    call_id: str


class CallToRead(FrozenModel):
    """The tool call whose state is asked for."""

    call_id: str


class CallToEnd(FrozenModel):
    """The tool call to end in a state, with the reason in words."""

    call_id: str
    state: CallState
    why: str


class CallOutcome(FrozenModel):
    """A call's state. Its result is in our database, not in the history."""

    call_id: str
    state: CallState


class ToolCallActivities:
    """Creates a call, reads its state, records a decision, carries the call out, ends it."""

    def __init__(self, records: ToolCallRepository, service: ToolCallService) -> None:
        self._records = records
        self._service = service

    @activity.defn
    async def file_call(self, order: CallToCreate) -> ToolCallTicket:
        """Create a call that came through Temporal with our proof, if its caller may make it.

        Raises StoreUnavailable.
        """
        with _refusals():
            return await self._records.file_order(order)

    @activity.defn
    async def record_decision(self, decision: DecisionToRecord) -> CallOutcome:
        """Save a person's decision, and return the call's state."""
        with _refusals():
            return CallOutcome(call_id=decision.call_id, state=await self._records.decide(decision))

    @activity.defn
    async def read_call(self, order: CallToRead) -> CallOutcome:
        """Read a call's state. Raises StoreUnavailable."""
        with _refusals():
            return CallOutcome(call_id=order.call_id, state=await self._records.get_state(order.call_id))

    @activity.defn
    async def end_call(self, order: CallToEnd) -> CallOutcome:
        """End a call that can't proceed; an ended call stays as it is. Raises StoreUnavailable."""
        with _refusals():
            state = await self._records.finish(order.call_id, order.state, {"message": order.why})
            return CallOutcome(call_id=order.call_id, state=state)

    @activity.defn
    async def carry_out(self, order: CallToCarryOut) -> CallOutcome:
        """Run the call's tool and save the result. Raises ApplicationError, which Temporal retries."""
        async with heartbeating():
            with _refusals(), retried() as attempt:
                state = await self._service.carry_out(order.call_id, attempt)
                return CallOutcome(call_id=order.call_id, state=state)


@contextmanager
def _refusals() -> Iterator[None]:
    """Make refusals non-retryable. They are expected: the caller gets the message, the log no traceback."""
    try:
        yield
    except (NotFiled, NotTheirs) as refusal:
        raise ApplicationError(
            str(refusal),
            type=type(refusal).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
