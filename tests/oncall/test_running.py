"""A run carries out each analysis, whatever becomes of the others; run again it gives the same bytes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall import queries
from calmo_pagerduty.oncall.analyses import ANALYSES, Analyse
from calmo_pagerduty.oncall.model import (
    AnalysisOutcome,
    AnalysisToRun,
    OnCallRun,
    RunState,
    RunToFinish,
    RunToStart,
    SnapshotToAnalyse,
)
from calmo_pagerduty.oncall.service import NO_TOKEN, OnCallRunService
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotReader
from tests.support.doors import rows
from tests.support.snapshots import TAKEN_AT, small_snapshot, store_snapshot, taken


def fails(_snapshot: AccountSnapshot, _now: int, /) -> AnalysisResult:
    raise ZeroDivisionError("the name of a person")


@pytest.fixture
def snapshot(database: Database) -> AccountSnapshot:
    return store_snapshot(database, small_snapshot())


def service(database: Database, analyses: Mapping[str, Analyse] = ANALYSES) -> OnCallRunService:
    return OnCallRunService(database, SnapshotReader(database), FindingService(database), analyses)


async def begun(database: Database, connection_id: str, run_id: str = "run", **fields: datetime) -> None:
    order = RunToStart.model_validate({"run_id": run_id, "connection_id": connection_id, **fields})
    await service(database).begin(order)


def the_run(database: Database, connection_id: str) -> OnCallRun:
    return database.read_blocking(lambda t: queries.list_runs(t, EVERYTHING, connection_id, 5))[0]


async def carry_out(
    database: Database, snapshot: AccountSnapshot, name: str, run_id: str = "run", now: int = TAKEN_AT
) -> AnalysisOutcome:
    order = AnalysisToRun(
        run_id=run_id,
        connection_id=snapshot.connection_id,
        snapshot_id=snapshot.id,
        analysis=name,
        now=now,
    )
    return await service(database, {**ANALYSES, "fails": fails}).analyse(order)


def test_each_analysis_carries_the_name_that_it_is_listed_by() -> None:
    for name, analyse in ANALYSES.items():
        result = analyse(small_snapshot(), TAKEN_AT)
        assert result.analysis == name
        assert result.snapshot_id == small_snapshot(id=result.snapshot_id).id
        json.dumps(result.metrics)


async def test_a_run_notes_how_each_analysis_ended(database: Database, snapshot: AccountSnapshot) -> None:
    await begun(database, snapshot.connection_id)
    for name in (*ANALYSES, "fails", "unheard_of"):
        await carry_out(database, snapshot, name)
    await carry_out(database, snapshot, "fails")
    await service(database).finish(RunToFinish(run_id="run", state=RunState.COMPLETE))
    run = the_run(database, snapshot.connection_id)
    assert run.state is RunState.COMPLETE and run.finished_at is not None
    assert {outcome.analysis: bool(outcome.problem) for outcome in run.outcomes} == {
        **dict.fromkeys(ANALYSES, False),
        "fails": True,
        "unheard_of": True,
    }
    assert len(rows(database, tables.analysis_results)) == len(ANALYSES)


async def test_a_fault_of_an_analysis_tells_its_kind_and_no_name(
    database: Database, snapshot: AccountSnapshot
) -> None:
    await begun(database, snapshot.connection_id)
    outcome = await carry_out(database, snapshot, "fails")
    assert outcome.problem == "a fault of ours: ZeroDivisionError"


@pytest.mark.parametrize("name", ANALYSES)
async def test_a_rerun_is_equal_to_the_byte(database: Database, snapshot: AccountSnapshot, name: str) -> None:
    first = await carry_out(database, snapshot, name, "first")
    again = await carry_out(database, snapshot, name, "again")
    assert first.digest and first.digest == again.digest
    later = await carry_out(database, snapshot, name, "later", TAKEN_AT + 3600)
    assert later.digest != first.digest


async def test_a_run_without_a_token_says_so_unless_it_asks_for_the_past(
    database: Database, snapshot: AccountSnapshot
) -> None:
    order = RunToStart(run_id="run", connection_id=snapshot.connection_id)
    assert (await service(database).begin(order)).problem == NO_TOKEN
    past = order.model_copy(update={"run_id": "past", "as_of": taken(snapshot)})
    started = await service(database).begin(past)
    assert (started.problem, started.analyses) == ("", tuple(ANALYSES))


async def test_the_snapshot_of_a_time_is_found_or_none(database: Database, snapshot: AccountSnapshot) -> None:
    order = RunToStart(run_id="run", connection_id=snapshot.connection_id, as_of=taken(snapshot))
    found = await service(database).find_snapshot(order)
    assert (found.snapshot_id, found.taken_at) == (snapshot.id, snapshot.taken_at)
    before = order.model_copy(update={"as_of": taken(snapshot) - timedelta(days=1)})
    assert (await service(database).find_snapshot(before)).snapshot_id == ""


async def test_a_run_that_never_ended_was_interrupted_by_the_next(
    database: Database, snapshot: AccountSnapshot
) -> None:
    connection_id = snapshot.connection_id
    await begun(database, connection_id, "of the past", as_of=taken(snapshot))
    for run_id in ("first", "second", "second"):
        await begun(database, connection_id, run_id)
    found = database.read_blocking(lambda t: queries.list_runs(t, EVERYTHING, connection_id, 5))
    assert {run.id: run.state for run in found} == {
        "second": RunState.READING,
        "first": RunState.FAILED,
        "of the past": RunState.READING,
    }


async def test_a_removed_connection_is_not_analysed(database: Database, snapshot: AccountSnapshot) -> None:
    await begun(database, snapshot.connection_id)
    await service(database).note_snapshot(
        SnapshotToAnalyse(run_id="run", snapshot_id=snapshot.id), RunState.ANALYSING
    )
    now = datetime.now(UTC)
    database.write_blocking(lambda t: connections.mark_removed(t, snapshot.connection_id, now))
    with pytest.raises(ConnectionRemoved):
        await begun(database, snapshot.connection_id, "another")


async def test_old_runs_are_deleted_once_they_ended(database: Database, snapshot: AccountSnapshot) -> None:
    await begun(database, snapshot.connection_id, "ended")
    await service(database).finish(RunToFinish(run_id="ended", state=RunState.COMPLETE))
    await begun(database, snapshot.connection_id, "running")
    later = datetime.now(UTC) + timedelta(days=1)
    deleted = database.write_blocking(lambda t: retention.delete_oncall_runs(t, 0, later))
    assert (deleted.rows, deleted.next_after) == (1, None)
    assert [row.id for row in rows(database, tables.oncall_runs)] == ["running"]
