"""Events absorbed into issues per second, in slices that alternate with the bare workflow's."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from bench.bare import running_bare
from bench.figures import Figures, median_of, rounded
from bench.incidents import Incident, IncidentGenerator
from bench.product import running_product
from bench.progress import print_progress
from bench.shapes import burst, spread
from bench.sides import CpuMeter, Side
from bench.sizes import Sizes

#: The product's target rate for each shape of load, in multiples of the bare workflow's rate.
TARGETS = {"burst": 2.0, "spread": 1.0}
_SHAPES: dict[str, Callable[[Side, Sequence[Incident]], Awaitable[float]]] = {
    "burst": burst,
    "spread": spread,
}


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Measure the sides in turn: while one works, the other is idle."""
    figures: Figures = {}
    details: dict[str, Any] = {}
    stories = IncidentGenerator(seed=2)
    async with running_product(folder / "product") as product, running_bare(folder / "bare") as bare:
        for shape in _SHAPES:
            print_progress(
                f"{shape}: {sizes.slices} slices of {sizes.incidents_per_slice} incidents on each side"
            )
            rates, cpu = await _alternate(shape, (product, bare), stories, sizes)
            ratios = [ours / theirs for ours, theirs in zip(rates["product"], rates["bare"], strict=True)]
            figures[f"{shape}_ratio"] = median_of(ratios, "x bare", at_least=TARGETS[shape])
            for side in rates:
                figures[f"{shape}_{side}"] = median_of(rates[side], "events/s")
            details[f"{shape}_cpu_ms_per_event"] = cpu
    return figures, details


async def _alternate(
    shape: str, sides: Sequence[Side], stories: IncidentGenerator, sizes: Sizes
) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    cpu: dict[str, Counter[str]] = {side.name: Counter() for side in sides}
    events = 0
    for number in range(sizes.slices):
        # The first side alternates, so that a trend in the noise favours neither.
        for side in sides if number % 2 == 0 else reversed(sides):
            incidents = stories.incidents(sizes.incidents_per_slice)
            count = sum(len(incident.events) for incident in incidents)
            meter = CpuMeter(side)
            rates[side.name].append(count / await _SHAPES[shape](side, incidents))
            cpu[side.name].update(meter.seconds())
        events += count
    spent = {
        name: {part: rounded(seconds * 1e3 / events) for part, seconds in parts.items()}
        for name, parts in cpu.items()
    }
    return rates, spent
