"""Analyses run in a process of their own, which gives the same bytes and is replaced when it dies."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.codec import result_document
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.oncall.analysis_process_service import AnalysisProcess
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader
from tests.support.snapshots import TAKEN_AT, small_snapshot, store_snapshot


async def test_a_process_of_its_own_gives_the_same_result_and_outlives_no_fault(database: Database) -> None:
    snapshot = store_snapshot(database, small_snapshot())
    reader = SnapshotReader(database)
    encoded, process = await reader.get_encoded(snapshot.id), AnalysisProcess()
    try:
        result = await process.analyse("coverage", encoded, TAKEN_AT)
        expected = ANALYSES["coverage"](snapshot, TAKEN_AT)
        assert result_document(result) == result_document(expected)
        assert process._pool is not None
        [child] = process._pool._processes
        os.kill(child, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            await process.analyse("coverage", encoded, TAKEN_AT)
        assert await process.analyse("coverage", encoded, TAKEN_AT) == result
    finally:
        process.release()
    with pytest.raises(SnapshotNotFound):
        await reader.get_encoded("snap_unknown")
