"""Latency of the receiver's answers to a steady stream of signed deliveries, with all processes running."""

from pathlib import Path
from typing import Any

from bench.figures import Figure, Figures, percentile
from bench.incidents import IncidentGenerator, interleaved
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import open_loop
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes

TARGET_RATE, TARGET_P99_MS = 200, 50.0
_INTERLEAVED_INCIDENTS = 25


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Measure latencies from the time when each event was due."""
    figures: Figures = {}
    stories = IncidentGenerator(seed=1)
    async with running_product(folder) as product:
        for rate in sizes.ack_rates:
            print_progress(f"{rate} deliveries/s for {sizes.ack_seconds:g} s")
            figures |= await _measure_rate(product, stories, rate, sizes.ack_seconds)
    return figures, {"shape": f"{_INTERLEAVED_INCIDENTS} incidents at a time, their four events in turn"}


async def _measure_rate(
    product: ProductSide, stories: IncidentGenerator, rate: int, seconds: float
) -> Figures:
    groups = max(round(rate * seconds / 4 / _INTERLEAVED_INCIDENTS), 1)
    incidents = stories.incidents(groups * _INTERLEAVED_INCIDENTS)
    events = interleaved(incidents, _INTERLEAVED_INCIDENTS)
    product.prepare(events)
    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        answers = await open_loop(product.post, events, rate)
        refused = sum(1 for _, answer in answers if not 200 <= answer.status < 300)
        waits = [(answer.at - scheduled) * 1e3 for scheduled, answer in answers]
        behind = 0.0
        if not refused:
            behind = max(await all_of(expected)) - answers[-1][0]
    is_target = rate == TARGET_RATE
    return {
        f"p50_ms_at_{rate}": Figure(percentile(waits, 50), "ms"),
        f"p95_ms_at_{rate}": Figure(percentile(waits, 95), "ms"),
        f"p99_ms_at_{rate}": Figure(percentile(waits, 99), "ms", TARGET_P99_MS if is_target else None),
        f"max_ms_at_{rate}": Figure(max(waits), "ms"),
        f"non_2xx_at_{rate}": Figure(refused, "deliveries", 0 if is_target else None),
        f"absorbed_after_the_last_at_{rate}": Figure(behind, "s"),
    }
