"""End-to-end latency at 40 events/s: from the time when an event is due until it is absorbed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.bare import running_bare
from bench.figures import Figure, Figures, median_of, percentile
from bench.incidents import IncidentGenerator, interleaved
from bench.product import running_product
from bench.progress import print_progress
from bench.shapes import open_loop
from bench.sides import POLL_SECONDS, AbsorptionWatch, Side, all_of
from bench.sizes import Sizes
from pagerduty_simulator.events import Event

RATE = 40
TARGET_RATIO = 2.0
_INTERLEAVED_INCIDENTS = 20


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Absorbed means: for the product, a row on the timeline; for the bare workflow, an activity's result."""
    stories = IncidentGenerator(seed=3)
    waits: dict[str, list[float]] = {"product": [], "bare": []}
    ratios = []
    groups = max(round(RATE * sizes.latency_seconds / 4 / _INTERLEAVED_INCIDENTS), 1)
    async with running_product(folder / "product") as product, running_bare(folder / "bare") as bare:
        sides: Sequence[Side] = (product, bare)
        print_progress(
            f"{RATE} events/s, {sizes.latency_slices} slices of {sizes.latency_seconds:g} s on each side"
        )
        for number in range(sizes.latency_slices):
            medians = {}
            for side in sides if number % 2 == 0 else reversed(sides):
                events = interleaved(
                    stories.incidents(groups * _INTERLEAVED_INCIDENTS), _INTERLEAVED_INCIDENTS
                )
                latencies = await _end_to_end(side, events)
                waits[side.name] += latencies
                medians[side.name] = percentile(latencies, 50)
            ratios.append(medians["product"] / medians["bare"])
    figures = {"p50_ratio": median_of(ratios, "x bare", at_most=TARGET_RATIO)}
    for name, values in waits.items():
        figures |= {
            f"p50_ms_{name}": Figure(percentile(values, 50), "ms"),
            f"p99_ms_{name}": Figure(percentile(values, 99), "ms"),
        }
    return figures, {
        "product": "the timeline is read over a read-only connection; a row is seen up to "
        f"{POLL_SECONDS * 1e3:g} ms after its commit, which counts against the product",
        "bare": "the worker notes the moment itself, in shared memory",
    }


async def _end_to_end(side: Side, events: Sequence[Event]) -> list[float]:
    side.prepare(events)
    async with AbsorptionWatch(side) as absorption:
        expected = [absorption.expect(event) for event in events]
        sent = await open_loop(side.send, events, RATE)
        absorbed = await all_of(expected)
    return [(at - scheduled) * 1e3 for at, (scheduled, _) in zip(absorbed, sent, strict=True)]
