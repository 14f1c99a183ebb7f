"""Thousands of incidents that stay open: the memory they take, and one more event to each."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, Figures
from bench.incidents import Storyteller
from bench.product import Product, running_product
from bench.progress import tell
from bench.shapes import IN_FLIGHT
from bench.sides import Absorption, all_of
from bench.sizes import Sizes
from pagerduty_simulator.events import Event


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    stories, count = Storyteller(seed=5), sizes.open_incidents
    async with running_product(folder) as product:
        tell(f"opening {count} incidents")
        incidents = stories.opened(count)
        _, opened = await _deliver(product, [event for incident in incidents for event in incident.events])
        figures = _memory(product)
        tell("one event to each of them")
        acknowledged, absorbed = await _deliver(product, stories.acknowledged(incidents))
        figures |= {
            "seconds_to_open": Figure(opened, "s"),
            "seconds_until_acknowledged": Figure(acknowledged, "s"),
            "seconds_until_absorbed": Figure(absorbed, "s"),
        }
    return figures, {"open_incidents": count}


async def _deliver(product: Product, events: Sequence[Event]) -> tuple[float, float]:
    """Send as fast as the door takes them; returns seconds until all are acknowledged, and absorbed."""
    product.prepare(events)
    left = iter(events)
    async with Absorption(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        begun = time.monotonic()
        acknowledged = await asyncio.gather(*(_send_all(product, left) for _ in range(IN_FLIGHT)))
        return max(acknowledged) - begun, max(await all_of(expected)) - begun


async def _send_all(product: Product, events: Iterable[Event]) -> float:
    at = 0.0
    for event in events:
        at = await product.send(event)
    return at


def _memory(product: Product) -> Figures:
    return {
        f"{name}_rss_mb": Figure(psutil.Process(pid).memory_info().rss / 1e6, "MB")
        for name, pid in product.pids().items()
    }
