"""The replay storm: long incidents that all get a signal right after their worker was killed."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure, Figures, percentile
from bench.incidents import Incident, IncidentGenerator
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import spread
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes

TARGET_SECONDS = 30.0
#: A single note adds a signal, a workflow task and a marker.
_HISTORY_EVENTS_PER_NOTE = 5


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    stories = IncidentGenerator(seed=6)
    async with running_product(folder, CALMO_CONTINUE_AS_NEW_AFTER="20000") as product:
        print_progress(f"{sizes.storm_incidents} incidents of {sizes.storm_history_events} history events")
        incidents = stories.triggered(sizes.storm_incidents)
        await spread(product, incidents)
        await _lengthen(product, stories, incidents, sizes.storm_history_events)
        lengths = [await _history_events(product, incident) for incident in incidents]
        print_progress("killing the worker, then one event to each incident")
        settled = await _storm(product, stories, incidents)
    return {
        "seconds_until_settled": Figure(max(settled), "s", TARGET_SECONDS),
        "seconds_until_half_settled": Figure(percentile(settled, 50), "s"),
        "seconds_until_the_first": Figure(min(settled), "s"),
    }, {
        "incidents": len(incidents),
        "history_events": {"least": min(lengths), "median": median(lengths), "most": max(lengths)},
    }


async def _lengthen(
    product: ProductSide, stories: IncidentGenerator, incidents: Sequence[Incident], history_events: int
) -> None:
    """Send single notes until the shortest history is long enough."""
    while True:
        shortest = min([await _history_events(product, incident) for incident in incidents])
        missing = -(-(history_events - shortest) // _HISTORY_EVENTS_PER_NOTE)
        if missing <= 0:
            return
        more = [
            incident._replace(events=tuple(stories.annotated(incident) for _ in range(missing)))
            for incident in incidents
        ]
        await spread(product, more)


async def _storm(
    product: ProductSide, stories: IncidentGenerator, incidents: Sequence[Incident]
) -> list[float]:
    """Return the seconds from the kill until each incident's event is absorbed."""
    events = stories.acknowledged(incidents)
    product.prepare(events)
    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        killed = time.monotonic()
        await product.kill_worker()
        await product.start_worker()
        await asyncio.gather(*(product.send(event) for event in events))
        return [at - killed for at in await all_of(expected)]


async def _history_events(product: ProductSide, incident: Incident) -> int:
    handle = product.temporal.get_workflow_handle(product.workflow_id(incident.id))
    return (await handle.describe()).history_length
