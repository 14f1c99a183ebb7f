"""Gathering an incident's context as its workflows see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeats import heartbeating
from activities.retrying import REMOVED, retried
from calmo_pagerduty.clients.contexts import ContextClient
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.contexts.gathering.backfill import (
    AccountBackfillService,
    AccountToBackfill,
    BackfillStep,
)
from calmo_pagerduty.contexts.gathering.source_service import (
    ContextSourceService,
    SourceOutcome,
    SourceToGather,
)
from calmo_pagerduty.contexts.gathering.version_service import (
    CannotAssess,
    ContextToFinish,
    ContextToStart,
    ContextVersionService,
    StartedContext,
    VersionRemoved,
)
from calmo_pagerduty.contexts.note_service import ContextNoteService, NoteToWrite
from calmo_pagerduty.contexts.runs import ContextOutcome, ReasonText
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tool_calls.record_service import ToolCallTicket

#: The error type for a context that can't be concluded, however often it is tried.
CANNOT_ASSESS = "CannotAssess"


class ContextToRequest(FrozenModel):
    ref: IncidentRef
    reason: ReasonText


class ContextRequestActivities:
    """Starts contexts, or tells those under way of one more reason."""

    def __init__(self, temporal: TemporalHandle, task_queue: str) -> None:
        self._temporal = temporal
        self._task_queue = task_queue

    @activity.defn(name="want_context")
    async def request_context(self, order: ContextToRequest) -> None:
        """Signal the gathering, starting it if need be. The same reason again changes nothing. Raises
        RPCError.
        """
        await ContextClient(self._temporal.client, self._task_queue).start(order.ref, order.reason)


class ContextActivities:
    """Raises StoreUnavailable throughout, ApplicationError for what is to be tried again or is final."""

    def __init__(
        self,
        sources: ContextSourceService,
        records: ContextVersionService,
        notes: ContextNoteService,
        remembering: AccountBackfillService,
    ) -> None:
        self._sources = sources
        self._records = records
        self._notes = notes
        self._remembering = remembering

    @activity.defn
    async def begin_context(self, order: ContextToStart) -> StartedContext:
        """Begin a version."""
        with _final():
            return await self._records.begin(order)

    @activity.defn
    async def gather_source(self, order: SourceToGather) -> SourceOutcome:
        """Read one source and keep what it brings."""
        began, asked = _earlier_attempts()

        def asked_so_far(requests: int) -> None:
            activity.heartbeat(began.timestamp(), requests)

        async with heartbeating(began.timestamp(), asked):
            with retried() as attempt:
                return await self._sources.gather(order, began, asked, attempt, asked_so_far)

    @activity.defn
    async def assess_context(self, order: ContextToFinish) -> ContextOutcome:
        """Conclude from what was gathered, and keep the document."""
        async with heartbeating():
            with _final():
                return await self._records.assess(order)

    @activity.defn
    async def fail_context(self, order: ContextToFinish) -> ContextOutcome:
        """End a version that could not be put together."""
        return await self._records.fail(order)

    @activity.defn(name="file_note")
    async def create_note_call(self, order: NoteToWrite) -> ToolCallTicket | None:
        """File the call of the tool that writes a version's note, once. None: there is nothing to do."""
        return await self._notes.create_call(order)

    @activity.defn(name="remember_more")
    async def backfill(self, order: AccountToBackfill) -> BackfillStep:
        """Read a piece of an account's past."""
        async with heartbeating():
            with retried() as attempt:
                return await self._remembering.step(order.connection_id, attempt)


def _earlier_attempts() -> tuple[datetime, int]:
    """Return when the first attempt began, and how many requests there were since."""
    told = activity.info().heartbeat_details
    if len(told) == 2:
        return datetime.fromtimestamp(float(told[0]), UTC), int(told[1])
    return datetime.now(UTC), 0


@contextmanager
def _final() -> Iterator[None]:
    """What another attempt would meet too is not tried again."""
    try:
        yield
    except (ConnectionRemoved, VersionRemoved) as removed:
        raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None
    except CannotAssess as fault:
        raise ApplicationError(str(fault), type=CANNOT_ASSESS, non_retryable=True) from None
