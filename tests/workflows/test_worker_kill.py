"""A worker that is killed with incidents in its cache holds none of them up for long."""

import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from builders import NOON, facts, minutes
from eventually import eventually
from incident_runs import IncidentRuns

from calmo_pagerduty.domain.event_types import EventType, IncidentStatus
from calmo_pagerduty.processes import start_child, stop_child
from calmo_pagerduty.temporal_dev_server import TemporalDevServer

#: From the kill to the next event's place on the timeline.
WITHIN_SECONDS = 3.0
WORKER = Path(__file__).parents[2] / "worker.py"

StartWorker = Callable[[], Awaitable[Process]]


@pytest.fixture
async def start_worker(
    runs: IncidentRuns, temporal_server: TemporalDevServer, tmp_path: Path
) -> AsyncIterator[StartWorker]:
    """Starts `python worker.py`, with the settings that it has by itself."""
    inherited = {name for name in os.environ if name.startswith(("CALMO_", "TEMPORAL_"))}
    environment = {name: "" for name in inherited} | {
        "TEMPORAL_ADDRESS": temporal_server.address,
        "CALMO_DATA_DIR": str(tmp_path),
        "CALMO_TASK_QUEUE": runs.task_queue,
    }
    async with AsyncExitStack() as stack:

        async def start() -> Process:
            worker = await start_child([sys.executable, str(WORKER)], tmp_path / "worker.log", environment)
            stack.push_async_callback(stop_child, worker, 5)
            return worker

        yield start


async def test_after_a_workers_kill_its_incidents_go_on_within_three_seconds(
    runs: IncidentRuns, start_worker: StartWorker
) -> None:
    refs = [runs.an_incident() for _ in range(10)]
    first = await start_worker()
    for ref in refs:
        await runs.deliver(ref, facts(EventType.TRIGGERED, at=NOON))
    for ref in refs:
        await runs.until_saved(ref, 1, within=30)

    killed_at = time.monotonic()
    first.kill()
    await start_worker()
    for ref in refs:
        await runs.deliver(
            ref, facts(EventType.ACKNOWLEDGED, at=NOON + minutes(1), status=IncidentStatus.ACKNOWLEDGED)
        )

    for ref in refs:
        await eventually(lambda ref=ref: runs.timeline(ref), lambda entries: len(entries) == 2)  # type: ignore[misc]
    took = time.monotonic() - killed_at
    print("TOOK", took)
    assert took < WITHIN_SECONDS
