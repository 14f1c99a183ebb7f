"""Runs the on-call analyses: notes the run, carries out each analysis, and records its findings."""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.service import FindingService, UnknownConnection
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall import store
from calmo_pagerduty.oncall.analyses import ANALYSES, Analyse
from calmo_pagerduty.oncall.analysis_process_service import AnalysisProcess
from calmo_pagerduty.oncall.model import (
    AnalysisOutcome,
    AnalysisToRun,
    RunState,
    RunToFinish,
    RunToStart,
    SnapshotToAnalyse,
    StartedRun,
)
from calmo_pagerduty.snapshots.collecting_service import SnapshotProgress
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable

logger = logging.getLogger(__name__)

NO_TOKEN = "the connection has no PagerDuty token"  # noqa: S105 - a message


class OnCallRunService:
    """Every method raises StoreUnavailable. Repeating one changes nothing."""

    def __init__(
        self,
        database: Database,
        snapshots: SnapshotReader,
        findings: FindingService,
        analyses: Mapping[str, Analyse] = ANALYSES,
        process: AnalysisProcess | None = None,
    ) -> None:
        """With a `process`, analyses run in it, else in a thread."""
        self._database = database
        self._snapshots = snapshots
        self._findings = findings
        self._analyses = analyses
        self._process = process

    async def begin(self, order: RunToStart) -> StartedRun:
        """Note that a run begins, and return what it carries out. Raises ConnectionRemoved."""
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, order.connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        names, now = tuple(self._analyses), datetime.now(UTC)
        await self._database.write(lambda t: store.insert_run(t, order, names, now))
        can_read = connection.token_kind is not None or order.as_of is not None
        return StartedRun(analyses=names, problem="" if can_read else NO_TOKEN)

    async def find_snapshot(self, order: RunToStart) -> SnapshotProgress:
        """Return the snapshot of the time that was asked for; with an empty id if there is none."""
        try:
            snapshot = await self._snapshots.get(EVERYTHING, order.connection_id, order.as_of)
        except SnapshotNotFound:
            return SnapshotProgress(snapshot_id="")
        return SnapshotProgress(snapshot_id=snapshot.id, taken_at=snapshot.taken_at, is_read=True)

    async def note_snapshot(self, order: SnapshotToAnalyse, state: RunState) -> None:
        """Note which snapshot the run reads or analyses."""
        values = {"snapshot_id": order.snapshot_id, "state": state}
        await self._database.write(lambda t: store.update_run(t, order.run_id, **values))

    async def analyse(self, order: AnalysisToRun) -> AnalysisOutcome:
        """Carry out an analysis, and record its result with its findings in one transaction.

        Raises SnapshotNotFound, SnapshotUnreadable, ConnectionRemoved.
        """
        analyse = self._analyses.get(order.analysis)
        if analyse is None:
            outcome = AnalysisOutcome(analysis=order.analysis, problem="this version does not know it")
            return await self._note(order, outcome)
        began = time.monotonic()
        try:
            result = await self._compute(order, analyse)
        except (SnapshotNotFound, SnapshotUnreadable, StoreUnavailable):
            raise
        # An account may hold what no test has thought of. The other analyses still count.
        except Exception as error:
            # Log the type only: the message may hold people's names.
            details = {"analysis": order.analysis, "error": type(error).__name__}
            logger.error("analysis_failed", extra=details)
            outcome = AnalysisOutcome(
                analysis=order.analysis, problem=f"a fault of ours: {type(error).__name__}"
            )
            return await self._note(order, outcome)
        return await self._note(order, await self._record(order, result, time.monotonic() - began))

    async def _compute(self, order: AnalysisToRun, analyse: Analyse) -> AnalysisResult:
        if self._process is not None:
            encoded = await self._snapshots.get_encoded(order.snapshot_id)
            return await self._process.analyse(order.analysis, encoded, order.now)
        snapshot = await self._snapshots.get_by_id(EVERYTHING, order.snapshot_id)
        return await asyncio.to_thread(analyse, snapshot, order.now)

    async def finish(self, order: RunToFinish) -> None:
        """Save how the run ended."""
        if self._process is not None:
            self._process.release()
        values = {"state": order.state, "problem": order.problem, "finished_at": datetime.now(UTC)}
        await self._database.write(lambda t: store.update_run(t, order.run_id, **values))

    async def _record(self, order: AnalysisToRun, result: AnalysisResult, seconds: float) -> AnalysisOutcome:
        try:
            [recorded] = await self._findings.record(order.connection_id, result)
        except UnknownConnection as unknown:
            raise ConnectionRemoved(str(unknown)) from None
        return AnalysisOutcome(
            analysis=order.analysis,
            digest=recorded.digest,
            findings=len(result.findings),
            changes=dict(recorded.counts),
            seconds=round(seconds, 3),
        )

    async def _note(self, order: AnalysisToRun, outcome: AnalysisOutcome) -> AnalysisOutcome:
        await self._database.write(lambda t: store.update_outcome(t, order.run_id, outcome))
        return outcome
