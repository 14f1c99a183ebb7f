"""The cost of an incident of four events: history events, actions, stored bytes."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from bench.bare import running_bare
from bench.figures import Figure, Figures
from bench.histories import fetch_cost, settle
from bench.incidents import Incident, IncidentGenerator
from bench.product import running_product
from bench.progress import print_progress
from bench.shapes import burst, spread
from bench.sides import Side
from bench.sizes import Sizes

TARGET_SHARE = 0.6
#: The number of incidents whose histories are fetched; bytes are of all incidents.
_SAMPLED_HISTORIES = 40

_Shape = Callable[[Side, Sequence[Incident]], Awaitable[float]]


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    figures: Figures = {}
    stories = IncidentGenerator(seed=4)
    async with running_product(folder / "product") as product, running_bare(folder / "bare") as bare:
        for name, shape in (("burst", burst), ("spread", spread)):
            for side in (product, bare):
                print_progress(f"{name}: {sizes.cost_incidents} incidents of four events, {side.name}")
                figures |= await _measure_shape(side, name, shape, stories.incidents(sizes.cost_incidents))
    for name in ("burst", "spread"):
        share = figures[f"{name}_history_events_product"].value / figures[f"{name}_history_events_bare"].value
        target = TARGET_SHARE if name == "burst" else None
        figures[f"{name}_history_events_ratio"] = Figure(share, "x bare", target)
    return figures, {"bytes": "pages in use, with the write-ahead log; Temporal's and ours by themselves"}


async def _measure_shape(side: Side, name: str, shape: _Shape, incidents: Sequence[Incident]) -> Figures:
    before = side.database_bytes()
    await shape(side, incidents)
    await settle(side, [incident.id for incident in incidents])
    after = side.database_bytes()
    costs = [await fetch_cost(side, incident.id) for incident in incidents[:_SAMPLED_HISTORIES]]
    figures = {
        f"{name}_history_events_{side.name}": Figure(
            mean(cost.history_events for cost in costs), "events/incident"
        ),
        f"{name}_actions_{side.name}": Figure(mean(cost.actions for cost in costs), "actions/incident"),
    }
    for database in after:
        grown = (after[database] - before[database]) / len(incidents)
        figures[f"{name}_{database}_bytes_{side.name}"] = Figure(grown, "bytes/incident")
    return figures
