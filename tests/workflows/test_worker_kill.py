"""A worker that is killed with incidents in its cache holds none of them up for long."""

import sqlite3
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from builders import NOON, facts, minutes
from eventually import eventually
from incident_runs import IncidentRuns
from temporalio.api.enums.v1 import EventType as HistoryEventType
from worker_processes import StartWorker, worker_processes

from calmo_pagerduty.domain.event_types import EventType, IncidentStatus
from calmo_pagerduty.domain.incident_lifecycle import EventFacts
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.processes import stop_child
from calmo_pagerduty.temporal_dev_server import TemporalDevServer

#: From the kill to the next event's place on the timeline.
WITHIN_SECONDS = 3.0

TASK_STARTED = HistoryEventType.EVENT_TYPE_WORKFLOW_TASK_STARTED


@pytest.fixture
async def start_worker(
    runs: IncidentRuns, temporal_server: TemporalDevServer, tmp_path: Path
) -> AsyncIterator[StartWorker]:
    """Starts `python worker.py`, with the settings that it has by itself."""
    address = temporal_server.address
    async with worker_processes(tmp_path, address, TASK_QUEUE=runs.task_queue) as start:
        yield start


async def test_after_a_workers_kill_its_incidents_go_on_within_three_seconds(
    runs: IncidentRuns, start_worker: StartWorker
) -> None:
    async def kill_one() -> float:
        refs = [runs.an_incident() for _ in range(10)]
        first = await start_worker()
        for ref in refs:
            await runs.deliver(ref, triggered())
        for ref in refs:
            await runs.until_saved(ref, 1, within=30)
        killed_at = await _kill(first)
        second = await start_worker()
        for ref in refs:
            await runs.deliver(ref, acknowledged())
        for ref in refs:
            await runs.until_saved(ref, 2)
        took = time.monotonic() - killed_at
        await stop_child(second, 5)
        return took

    await _best_is_quick_enough(kill_one)


async def test_a_step_that_was_under_way_at_the_kill_is_done_within_three_seconds(
    runs: IncidentRuns, start_worker: StartWorker, tmp_path: Path
) -> None:
    async def kill_one() -> float:
        ref = runs.an_incident()
        first = await start_worker()
        await runs.deliver(ref, triggered())
        await runs.until_saved(ref, 1, within=30)
        await runs.until_idle(ref)
        with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await runs.deliver(ref, acknowledged())
            await eventually(lambda: _last_history_event(runs, ref), lambda last: last == TASK_STARTED)
            killed_at = await _kill(first)
            other.execute("ROLLBACK")
        second = await start_worker()
        await runs.until_saved(ref, 2)
        took = time.monotonic() - killed_at
        await stop_child(second, 5)
        return took

    await _best_is_quick_enough(kill_one)


def triggered() -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON)


def acknowledged() -> EventFacts:
    return facts(EventType.ACKNOWLEDGED, at=NOON + minutes(1), status=IncidentStatus.ACKNOWLEDGED)


async def _best_is_quick_enough(measure: Callable[[], Awaitable[float]]) -> None:
    """A busy machine only adds time (starting a Python process takes a second of its work): the best
    of three tells what our settings allow.
    """
    took: list[float] = []
    while len(took) < 3 and min(took, default=WITHIN_SECONDS) >= WITHIN_SECONDS:
        took.append(await measure())
    assert min(took) < WITHIN_SECONDS, took


async def _kill(worker: Process) -> float:
    at = time.monotonic()
    worker.kill()
    await worker.wait()
    return at


async def _last_history_event(runs: IncidentRuns, ref: IncidentRef) -> int:
    return [event.event_type async for event in runs.handle(ref).fetch_history_events()][-1]
