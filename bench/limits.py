"""How fast the product recovers after a crash, answers a slow sender, starts and stops."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType

from bench.figures import Figure, Figures
from bench.incidents import Incident, IncidentGenerator
from bench.product import ProductSide, running_product
from bench.programs import start_and_stop_up
from bench.progress import print_progress
from bench.shapes import spread
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes

#: Seconds from a worker's kill until the next event is on the timeline.
TARGET_AFTER_A_KILL = 3.0
#: Seconds that PagerDuty waits for an answer before it retries the delivery.
TARGET_ANSWER = 5.0
#: Seconds to stop with a connected reader of live changes, who never disconnects.
TARGET_SHUTDOWN = 4.0
TARGET_STOP_OF_UP = 10.0
_INCIDENTS = 10
#: A Python process alone takes a second to start: the best of these kills shows the effect of our settings.
_KILLS = 3


async def measure(folder: Path, _sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    stories = IncidentGenerator(seed=9)
    async with running_product(folder / "product") as product:
        print_progress(f"killing the worker {_KILLS} times, with {_INCIDENTS} incidents in its cache")
        idle = [await _after_a_kill(product, stories, frozen=False) for _ in range(_KILLS)]
        print_progress(f"killing it {_KILLS} times, amid a step")
        amid = [await _after_a_kill(product, stories, frozen=True) for _ in range(_KILLS)]
        print_progress("a body that never ends, a locked database, a shutdown with a reader connected")
        slow_body = await product.answer_to_half_a_body(stories.triggered(1)[0].events[0])
        locked = await _with_a_locked_database(product, folder / "product" / "calmo.db", stories)
        shutdown = await product.stop_ingress_with_a_reader()
    print_progress("starting and stopping `up`")
    started, stopped = await start_and_stop_up(folder / "up")
    return {
        "seconds_after_a_workers_kill": Figure(min(idle), "s", TARGET_AFTER_A_KILL),
        "seconds_after_a_kill_amid_a_step": Figure(min(amid), "s", TARGET_AFTER_A_KILL),
        "seconds_until_a_slow_body_is_answered": Figure(slow_body, "s", TARGET_ANSWER),
        "seconds_until_a_locked_database_is_answered": Figure(locked, "s", TARGET_ANSWER),
        "seconds_to_stop_an_ingress_with_a_reader": Figure(shutdown, "s", TARGET_SHUTDOWN),
        "seconds_until_up_is_ready": Figure(started, "s"),
        "seconds_until_up_has_stopped": Figure(stopped, "s", TARGET_STOP_OF_UP),
    }, {"kills": {"idle": idle, "amid a step": amid}}


async def _after_a_kill(product: ProductSide, stories: IncidentGenerator, frozen: bool) -> float:
    """Return the seconds from the kill until the next event of each incident is absorbed. If `frozen`, the
    worker has accepted tasks and has not executed them.
    """
    incidents = stories.triggered(_INCIDENTS)
    await spread(product, incidents)
    events = stories.acknowledged(incidents)
    product.prepare(events)
    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        if frozen:
            product.freeze_worker()
            await asyncio.gather(*(product.send(event) for event in events))
            await _taken(product, incidents)
        killed = time.monotonic()
        await product.kill_worker()
        await product.start_worker()
        if not frozen:
            await asyncio.gather(*(product.send(event) for event in events))
        return max(await all_of(expected)) - killed


async def _taken(product: ProductSide, incidents: Sequence[Incident]) -> None:
    """Wait until Temporal has a started task of each of these incidents."""
    for incident in incidents:
        handle = product.temporal.get_workflow_handle(product.workflow_id(incident.id))
        for _ in range(1000):
            last = [event.event_type async for event in handle.fetch_history_events()][-1]
            if last == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                break
            await asyncio.sleep(0.02)


async def _with_a_locked_database(product: ProductSide, database: Path, stories: IncidentGenerator) -> float:
    events = stories.triggered(1)[0].events
    product.prepare(events)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        answer = await product.post(events[0])
        other.execute("ROLLBACK")
    print_progress(f"   answered {answer.status}")
    return answer.at - started
