"""Everything is killed at 15 events a second, and started again: how soon is it as before?

PagerDuty sends again what was not answered, and so does the sender here.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Figure, Figures, percentile
from bench.http_client import HttpClient
from bench.incidents import IncidentGenerator, interleaved
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import open_loop
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes
from calmo_pagerduty.processes import free_port
from pagerduty_simulator.events import Event

RATE = 15
#: Seconds from the restart until everything that was answered before the kill is on its timeline.
TARGET_WHOLE_SECONDS = 10.0
#: From so many seconds after the restart on, half of the deliveries are answered within TARGET_ACK_MS.
ACK_SECONDS = 5.0
TARGET_ACK_MS = 100.0
_BEFORE_SECONDS = 4.0
_AFTER_SECONDS = 10.0
_RETRY_SECONDS = 0.05
_INTERLEAVED_INCIDENTS = 5


class _Run(NamedTuple):
    """Times are seconds since the restart; `acks` are when each event was due and answered."""

    whole: float
    acks: list[tuple[float, float]]


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    stories = IncidentGenerator(seed=17)
    async with running_product(folder) as product:
        port = free_port()
        await product.start_door(port)
        print_progress(f"killing everything {sizes.crashes} times at {RATE} events/s")
        runs = [await _crash(product, port, stories) for _ in range(sizes.crashes)]
    later = [at - due for run in runs for due, at in run.acks if due >= ACK_SECONDS]
    return {
        "seconds_until_timelines_are_whole": Figure(
            max(run.whole for run in runs), "s", TARGET_WHOLE_SECONDS
        ),
        f"ack_p50_ms_{ACK_SECONDS:g}_s_after_the_restart": Figure(
            percentile(later, 50) * 1e3, "ms", TARGET_ACK_MS
        ),
        "seconds_until_the_first_ack": Figure(max(min(at for _, at in run.acks) for run in runs), "s"),
    }, {"whole": [run.whole for run in runs]}


async def _crash(product: ProductSide, port: int, stories: IncidentGenerator) -> _Run:
    """Send until the kill and on after it. Whole are the timelines of what was due before it."""
    before, after = (_events(stories, seconds) for seconds in (_BEFORE_SECONDS, _AFTER_SECONDS))
    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in before]
        sent = asyncio.create_task(_steadily(product, port, before))
        await asyncio.sleep(_BEFORE_SECONDS)
        await product.kill_everything()
        restarted = time.monotonic()
        restart = asyncio.create_task(product.start_again(port))
        acks = await _steadily(product, port, after)
        await asyncio.gather(sent, restart)
        whole = max(await all_of(expected))
    return _Run(whole - restarted, [(due - restarted, at - restarted) for due, at in acks])


async def _steadily(product: ProductSide, port: int, events: Sequence[Event]) -> list[tuple[float, float]]:
    """Return when each event was due and when it was answered."""
    return await open_loop(lambda event: _send_until_answered(product, port, event), events, RATE)


async def _send_until_answered(product: ProductSide, port: int, event: Event) -> float:
    request, http = product.request(event), HttpClient(port)
    try:
        while True:
            answer = await http.ask(request)
            if answer.status == 202:
                return answer.at
            await asyncio.sleep(_RETRY_SECONDS)
    finally:
        http.close()


def _events(stories: IncidentGenerator, seconds: float) -> Sequence[Event]:
    groups = max(round(RATE * seconds / 4 / _INTERLEAVED_INCIDENTS), 1)
    return interleaved(stories.incidents(groups * _INTERLEAVED_INCIDENTS), _INTERLEAVED_INCIDENTS)
