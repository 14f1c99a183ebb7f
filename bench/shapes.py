"""The shapes of load: bursts, single events, and a steady stream."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bench.incidents import Incident
from bench.sides import AbsorptionWatch, Side, all_of
from pagerduty_simulator.events import Event

T = TypeVar("T")

IN_FLIGHT = 16


async def burst(side: Side, incidents: Sequence[Incident]) -> float:
    """Send each incident's events back to back, 16 incidents at a time; return the seconds until all are
    absorbed. As at PagerDuty, an incident's next event follows the acknowledgement of its last.
    """
    side.prepare(event for incident in incidents for event in incident.events)
    left = iter(incidents)

    async def lane() -> None:
        for incident in left:
            for event in incident.events:
                await side.send(event)

    async with AbsorptionWatch(side) as absorption:
        expected = [absorption.expect(event) for incident in incidents for event in incident.events]
        started = time.monotonic()
        await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
        return max(await all_of(expected)) - started


async def spread(side: Side, incidents: Sequence[Incident]) -> float:
    """Send all incidents at once, each incident's next event when its last is absorbed, so that no events
    are batched. Returns the seconds until all are absorbed.
    """
    side.prepare(event for incident in incidents for event in incident.events)
    sending = asyncio.Semaphore(IN_FLIGHT)

    async def live(incident: Incident) -> float:
        absorbed_at = 0.0
        for event in incident.events:
            absorbed = absorption.expect(event)
            async with sending:
                await side.send(event)
            (absorbed_at,) = await all_of([absorbed])
        return absorbed_at

    async with AbsorptionWatch(side) as absorption:
        started = time.monotonic()
        return max(await asyncio.gather(*(live(incident) for incident in incidents))) - started


async def open_loop(
    send: Callable[[Event], Awaitable[T]], events: Sequence[Event], per_second: float
) -> list[tuple[float, T]]:
    """Send at a steady rate, without waiting for answers; return (due time, answer) of each event."""
    started = time.monotonic() + 0.05
    sent: list[tuple[float, asyncio.Task[T]]] = []
    for number, event in zip(itertools.count(), events, strict=False):
        scheduled = started + number / per_second
        wait = scheduled - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        sent.append((scheduled, asyncio.ensure_future(send(event))))
    return [(scheduled, await answer) for scheduled, answer in sent]
