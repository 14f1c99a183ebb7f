"""The activities of incident contexts and of the account cache."""

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

#: The error type of an assessment that a retry can't fix.
CANNOT_ASSESS = "CannotAssess"


class ContextToRequest(FrozenModel):
    """The incident whose context is wanted, and why."""

    ref: IncidentRef
    reason: ReasonText


class ContextRequestActivities:
    """Starts contexts, or adds a reason to a context that is being gathered."""

    def __init__(self, temporal: TemporalHandle, task_queue: str, public_address: str) -> None:
        self._temporal = temporal
        self._task_queue = task_queue
        self._public_address = public_address

    @activity.defn(name="want_context")
    async def request_context(self, order: ContextToRequest) -> None:
        """Signal the context's workflow, and start it if needed. A repeated reason changes nothing. Raises
        RPCError.
        """
        contexts = ContextClient(self._temporal.client, self._task_queue, self._public_address)
        await contexts.start(order.ref, order.reason)


class ContextActivities:
    """Every activity raises StoreUnavailable, and ApplicationError, which says if Temporal retries."""

    def __init__(
        self,
        sources: ContextSourceService,
        records: ContextVersionService,
        notes: ContextNoteService,
        backfill: AccountBackfillService,
    ) -> None:
        self._sources = sources
        self._records = records
        self._notes = notes
        self._backfill = backfill

    @activity.defn
    async def begin_context(self, order: ContextToStart) -> StartedContext:
        """Insert a new version of the context."""
        with _final():
            return await self._records.begin(order)

    @activity.defn
    async def gather_source(self, order: SourceToGather) -> SourceOutcome:
        """Read one source and save its result."""
        began_at, requests_before = _earlier_attempts()

        def report_requests(requests: int) -> None:
            activity.heartbeat(began_at.timestamp(), requests)

        async with heartbeating(began_at.timestamp(), requests_before):
            with retried() as attempt:
                return await self._sources.gather(order, began_at, requests_before, attempt, report_requests)

    @activity.defn
    async def assess_context(self, order: ContextToFinish) -> ContextOutcome:
        """Assess the gathered data and save the document."""
        async with heartbeating():
            with _final():
                return await self._records.assess(order)

    @activity.defn
    async def fail_context(self, order: ContextToFinish) -> ContextOutcome:
        """Mark a version as failed."""
        return await self._records.fail(order)

    @activity.defn(name="file_note")
    async def create_note_call(self, order: NoteToWrite) -> ToolCallTicket | None:
        """Create, once, the tool call that writes a version's note; None if there is nothing to write."""
        return await self._notes.create_call(order)

    @activity.defn(name="remember_more")
    async def backfill(self, order: AccountToBackfill) -> BackfillStep:
        """Read a part of an account's past into the account cache."""
        async with heartbeating():
            with retried() as attempt:
                return await self._backfill.step(order.connection_id, attempt)


def _earlier_attempts() -> tuple[datetime, int]:
    """Return when the first attempt began (UTC), and how many requests were sent since, from heartbeats."""
    details = activity.info().heartbeat_details
    if len(details) == 2:
        return datetime.fromtimestamp(float(details[0]), UTC), int(details[1])
    return datetime.now(UTC), 0


@contextmanager
def _final() -> Iterator[None]:
    """Make errors that a retry can't fix non-retryable."""
    try:
        yield
    except (ConnectionRemoved, VersionRemoved) as removed:
        raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None
    except CannotAssess as fault:
        raise ApplicationError(str(fault), type=CANNOT_ASSESS, non_retryable=True) from None
