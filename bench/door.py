"""A door beside a minimal door, both at once, with everything behind the first one running.

Each gets the rate. Both compete with the pipeline and with whatever else runs on the machine, so that
cancels out in the ratios, and they are what to look at.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.figures import Figure, Figures, percentile
from bench.http_client import Acknowledgement, HttpClient
from bench.incidents import IncidentGenerator, interleaved
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import open_loop
from bench.sizes import Sizes
from calmo_pagerduty.processes import free_port, start_child, stop_child
from pagerduty_simulator.events import Event

TARGET_P99_MS = {200: 25.0, 500: 60.0}
TARGET_RATIO = 2.0
_INTERLEAVED_INCIDENTS = 25
_STOP_SECONDS = 8.0


class _Run(NamedTuple):
    """Latencies in milliseconds from the time when each event was due, refusals, CPU in ms per delivery."""

    waits: list[float]
    refused: int
    cpu_ms: float


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    figures: Figures = {}
    stories = IncidentGenerator(seed=11)
    async with running_product(folder) as product:
        ports = {"minimal": free_port(), "door": free_port()}
        children = {
            "minimal": await start_child(
                (
                    sys.executable,
                    "-m",
                    "bench.minimal_door",
                    str(ports["minimal"]),
                    str(folder / "minimal.db"),
                ),
                folder / "minimal.log",
                {},
                product.secret.encode(),
            ),
            "door": await product.start_door(ports["door"]),
        }
        try:
            for port in ports.values():
                await _until_it_answers(product, port, stories)
            for rate in sizes.door_rates:
                print_progress(f"{rate} deliveries/s to each for {sizes.ack_seconds:g} s")
                runs = await asyncio.gather(
                    *(
                        _measure_rate(
                            product,
                            port,
                            psutil.Process(children[name].pid),
                            stories,
                            rate,
                            sizes.ack_seconds,
                        )
                        for name, port in ports.items()
                    )
                )
                figures |= _figures(rate, dict(zip(ports, runs, strict=True)))
        finally:
            for child in children.values():
                await stop_child(child, _STOP_SECONDS)
    return figures, {"shape": f"{_INTERLEAVED_INCIDENTS} incidents at a time, their four events in turn"}


async def _until_it_answers(product: ProductSide, port: int, stories: IncidentGenerator) -> None:
    """Wait until the process takes deliveries, and warm it up."""
    http = HttpClient(port)
    for event in interleaved(stories.incidents(100), _INTERLEAVED_INCIDENTS):
        request = product.request(event)
        while (await http.ask(request)).status != 202:
            pass
    http.close()


async def _measure_rate(
    product: ProductSide,
    port: int,
    process: psutil.Process,
    stories: IncidentGenerator,
    rate: int,
    seconds: float,
) -> _Run:
    groups = max(round(rate * seconds / 4 / _INTERLEAVED_INCIDENTS), 1)
    events = interleaved(stories.incidents(groups * _INTERLEAVED_INCIDENTS), _INTERLEAVED_INCIDENTS)
    requests = {event.id: product.request(event) for event in events}
    http = HttpClient(port)

    async def post(event: Event) -> Acknowledgement:
        return await http.ask(requests[event.id])

    before = process.cpu_times()
    answers = await open_loop(post, events, rate)
    after = process.cpu_times()
    http.close()
    return _Run(
        [(answer.at - due) * 1e3 for due, answer in answers],
        sum(answer.status != 202 for _, answer in answers),
        (after.user + after.system - before.user - before.system) * 1e3 / len(answers),
    )


def _figures(rate: int, runs: dict[str, _Run]) -> Figures:
    figures: Figures = {}
    for name, run in runs.items():
        target = TARGET_P99_MS.get(rate) if name == "door" else None
        figures |= {
            f"{name}_p50_ms_at_{rate}": Figure(percentile(run.waits, 50), "ms"),
            f"{name}_p99_ms_at_{rate}": Figure(percentile(run.waits, 99), "ms", target),
            f"{name}_refused_at_{rate}": Figure(run.refused, "deliveries", 0 if target else None),
            f"{name}_cpu_ms_at_{rate}": Figure(run.cpu_ms, "ms per delivery"),
        }
    door, minimal = runs["door"], runs["minimal"]
    p99 = percentile(door.waits, 99) / percentile(minimal.waits, 99)
    return figures | {
        f"p99_ratio_at_{rate}": Figure(p99, "times the minimal door", TARGET_RATIO),
        f"cpu_ratio_at_{rate}": Figure(door.cpu_ms / minimal.cpu_ms, "times the minimal door", TARGET_RATIO),
    }
