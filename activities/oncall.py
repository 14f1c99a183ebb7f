"""The activities of the on-call analyses: take a snapshot step by step, carry out each analysis."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeats import heartbeating
from activities.retrying import REMOVED, retried
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.oncall.model import (
    AnalysisOutcome,
    AnalysisToRun,
    RunState,
    RunToFinish,
    RunToStart,
    SnapshotToAnalyse,
    SnapshotToBegin,
    StartedRun,
)
from calmo_pagerduty.oncall.service import OnCallRunService
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.snapshots.collecting_service import (
    SnapshotCollector,
    SnapshotProgress,
    SnapshotToTake,
    TakenSnapshot,
)
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotUnreadable


class OnCallActivities:
    """Every activity is idempotent. It raises StoreUnavailable, and ApplicationError for final errors."""

    def __init__(self, runs: OnCallRunService, collector: SnapshotCollector) -> None:
        self._runs = runs
        self._collector = collector

    @activity.defn
    async def begin_oncall_run(self, order: RunToStart) -> StartedRun:
        """Insert the run, and return the names of its analyses."""
        with _final():
            return await self._runs.begin(order)

    @activity.defn
    async def begin_snapshot(self, order: SnapshotToBegin) -> SnapshotProgress:
        """Begin a snapshot, or continue the one that was begun before."""
        with _final():
            progress = await self._collector.begin(
                SnapshotToTake(connection_id=order.connection_id, is_fresh=order.is_fresh)
            )
            await self._runs.note_snapshot(
                SnapshotToAnalyse(run_id=order.run_id, snapshot_id=progress.snapshot_id), RunState.READING
            )
            return progress

    @activity.defn
    async def find_snapshot(self, order: RunToStart) -> SnapshotProgress:
        """Return the stored snapshot of a time; with an empty id if there is none."""
        async with heartbeating():
            with _final():
                return await self._runs.find_snapshot(order)

    @activity.defn
    async def read_snapshot(self, order: SnapshotToAnalyse) -> SnapshotProgress:
        """Read and save the next pages of the snapshot."""
        async with heartbeating():
            with _final(), retried():
                return await self._collector.step(order.snapshot_id)

    @activity.defn
    async def finish_snapshot(self, order: SnapshotToAnalyse) -> TakenSnapshot:
        """Put the snapshot together, once it is read."""
        async with heartbeating():
            with _final():
                return await self._collector.finish(order.snapshot_id)

    @activity.defn
    async def run_analysis(self, order: AnalysisToRun) -> AnalysisOutcome:
        """Carry out an analysis, and record its result and its findings."""
        async with heartbeating():
            with _final():
                await self._runs.note_snapshot(
                    SnapshotToAnalyse(run_id=order.run_id, snapshot_id=order.snapshot_id), RunState.ANALYSING
                )
                return await self._runs.analyse(order)

    @activity.defn
    async def finish_oncall_run(self, order: RunToFinish) -> None:
        """Save how the run ended."""
        await self._runs.finish(order)


@contextmanager
def _final() -> Iterator[None]:
    """Make errors that a retry can't mend non-retryable. Their texts stay out of the history."""
    try:
        yield
    except ConnectionRemoved as removed:
        raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None
    except (SnapshotNotFound, SnapshotUnreadable, PagerDutyError) as error:
        name = type(error).__name__
        raise ApplicationError(name, type=name, non_retryable=True) from None
