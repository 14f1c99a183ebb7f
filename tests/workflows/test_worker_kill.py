"""A worker that is killed with incidents in its cache holds none of them up: another one goes on."""

import sqlite3
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType as HistoryEventType

from calmo_pagerduty.heartbeats import list_heartbeats
from calmo_pagerduty.http_client import AsyncClient, tls_context
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from tests.support.builders import NOON, facts, minutes
from tests.support.eventually import eventually
from tests.support.incident_runs import IncidentRuns
from tests.support.patience import ANSWER, PROGRAM
from tests.support.worker_processes import StartWorker, worker_processes

TASK_STARTED = HistoryEventType.EVENT_TYPE_WORKFLOW_TASK_STARTED


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
async def start_worker(
    runs: IncidentRuns, temporal_server: TemporalDevServer, tmp_path: Path, metrics_port: int
) -> AsyncIterator[StartWorker]:
    """Starts `python worker.py`, with the settings that it has by itself, and its metrics served."""
    address = temporal_server.address
    settings = {"TASK_QUEUE": runs.task_queue, "WORKER_METRICS": f"127.0.0.1:{metrics_port}"}
    async with worker_processes(tmp_path, address, **settings) as start:
        yield start


async def test_after_a_workers_kill_another_one_goes_on_with_its_incidents(
    runs: IncidentRuns, start_worker: StartWorker, metrics_port: int, tmp_path: Path
) -> None:
    refs = [runs.an_incident() for _ in range(10)]
    first = await start_worker()
    for ref in refs:
        await runs.deliver(ref, triggered())
    for ref in refs:
        await runs.until_saved(ref, 1, within=PROGRAM)
    told = await _metrics(metrics_port)
    assert "temporal_workflow_task_schedule_to_start_latency_count" in told
    assert not any(ref.incident_id in told for ref in refs)
    assert [beat.pid for beat in list_heartbeats(tmp_path, "worker")] == [first.pid]
    await _kill(first)
    await start_worker()
    for ref in refs:
        await runs.deliver(ref, acknowledged())
    for ref in refs:
        await runs.until_saved(ref, 2, within=PROGRAM)


async def test_a_step_that_was_under_way_at_the_kill_is_done_by_another_worker(
    runs: IncidentRuns, start_worker: StartWorker, tmp_path: Path
) -> None:
    ref = runs.an_incident()
    first = await start_worker()
    await runs.deliver(ref, triggered())
    await runs.until_saved(ref, 1, within=PROGRAM)
    await runs.until_idle(ref)
    with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await runs.deliver(ref, acknowledged())
        await eventually(lambda: _last_history_event(runs, ref), lambda last: last == TASK_STARTED)
        await _kill(first)
        other.execute("ROLLBACK")
    await start_worker()
    await runs.until_saved(ref, 2, within=PROGRAM)


def triggered() -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON)


def acknowledged() -> EventFacts:
    return facts(EventType.ACKNOWLEDGED, at=NOON + minutes(1), status=IncidentStatus.ACKNOWLEDGED)


async def _metrics(port: int) -> str:
    async with AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:
        return (await http.get(f"http://127.0.0.1:{port}/metrics")).text


async def _kill(worker: Process) -> None:
    worker.kill()
    await worker.wait()


async def _last_history_event(runs: IncidentRuns, ref: IncidentRef) -> int:
    return [event.event_type async for event in runs.handle(ref).fetch_history_events()][-1]
