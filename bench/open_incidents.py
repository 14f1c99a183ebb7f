"""Thousands of open incidents: their memory, and the time of one more event to each."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, Figures
from bench.incidents import IncidentGenerator
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import IN_FLIGHT
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes
from pagerduty_simulator.events import Event


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    stories, count = IncidentGenerator(seed=5), sizes.open_incidents
    async with running_product(folder) as product:
        print_progress(f"opening {count} incidents")
        incidents = stories.triggered(count)
        _, opened = await _deliver(product, [event for incident in incidents for event in incident.events])
        figures = _memory(product)
        print_progress("one event to each of them")
        acknowledged, absorbed = await _deliver(product, stories.acknowledged(incidents))
        figures |= {
            "seconds_to_open": Figure(opened, "s"),
            "seconds_until_acknowledged": Figure(acknowledged, "s"),
            "seconds_until_absorbed": Figure(absorbed, "s"),
        }
    return figures, {"open_incidents": count}


async def _deliver(product: ProductSide, events: Sequence[Event]) -> tuple[float, float]:
    """Send as fast as the receiver accepts; return the seconds until all are acknowledged, and absorbed."""
    product.prepare(events)
    left = iter(events)
    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        started = time.monotonic()
        acknowledged = await asyncio.gather(*(_send_all(product, left) for _ in range(IN_FLIGHT)))
        return max(acknowledged) - started, max(await all_of(expected)) - started


async def _send_all(product: ProductSide, events: Iterable[Event]) -> float:
    at = 0.0
    for event in events:
        at = await product.send(event)
    return at


def _memory(product: ProductSide) -> Figures:
    return {
        f"{name}_rss_mb": Figure(psutil.Process(pid).memory_info().rss / 1e6, "MB")
        for name, pid in product.pids().items()
    }
