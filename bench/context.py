"""Contexts on a large account: requests, CPU and time; with a cold cache, a warm cache, and fifty at once.

The account has 500 services, 2,000 dependencies, 10,000 past incidents and 20,000 changes, behind a
network on which each answer takes 150 ms, with PagerDuty's own limit of 960 requests a minute.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client

from bench.figures import Figure, Figures, median_of
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.sizes import Sizes
from calmo_pagerduty.contexts.runs import ContextOutcome, ContextStart, ContextState, RunProgress
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.temporal.client import DATA_CONVERTER, runtime
from pagerduty_simulator.big_account import big_account
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.past import write_change
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from workflows import names

LATENCY = timedelta(milliseconds=150)
MAX_REQUESTS, MAX_CPU_SECONDS, MAX_FLOOR_RATIO = 40, 1.0, 2.0
TASK_QUEUE = "calmo-pagerduty"
#: How many contexts fill the account cache, and how long that may take.
WARM_UP, TIMEOUT_SECONDS = 3, 300.0
LIMIT, NO_LIMIT = 960, 1_000_000
WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ContextMeasurement:
    """One context; times are in seconds. `floor` is the network time alone of the slowest source."""

    end: ContextOutcome
    requests: int
    wall: float
    cpu: float
    floor: float


class ContextBench:
    """A simulated account and the running product."""

    def __init__(self, site: AccountSite, product: ProductSide, temporal: Client, connection_id: str) -> None:
        self.site = site
        self.connection_id = connection_id
        self._product = product
        self._worker = psutil.Process(product.pids()["worker"])
        self._temporal = temporal
        self._rng = random.Random(7)
        self._services = list(site.account.services)

    def open_incident(self) -> str:
        """Open an incident on a random service that was changed minutes before."""
        account = self.site.account
        service = account.services[self._rng.choice(self._services)]
        write_change(account, service, account.now() - timedelta(minutes=4), "Release 1", self._rng)
        title = f"{service.name}: error rate {self._rng.randrange(100, 999)} per minute"
        return str(account.trigger(service.id, title)[0].incident_id)

    async def gather(self, incident_id: str) -> ContextOutcome:
        """Start the workflow as other services do, and wait for its end."""
        ref = IncidentRef(connection_id=self.connection_id, incident_id=incident_id)
        start = ContextStart(ref=ref, reasons=("bench",), debounce=timedelta(0))
        end: ContextOutcome = await self._temporal.execute_workflow(
            names.INCIDENT_CONTEXT_WORKFLOW,
            start,
            id=names.context_id(ref),
            task_queue=TASK_QUEUE,
            result_type=ContextOutcome,
        )
        return end

    async def measured(self, incident_id: str) -> ContextMeasurement:
        requests, cpu, started = len(self.site.requests), self.cpu(), time.monotonic()
        end = await self.gather(incident_id)
        wall, cpu = time.monotonic() - started, self.cpu() - cpu
        progress = await self._progress(incident_id)
        slowest = max(source.requests for source in progress.sources.values())
        floor = max(slowest, 1) * LATENCY.total_seconds()
        return ContextMeasurement(end, len(self.site.requests) - requests, wall, cpu, floor)

    async def wait_for_backfill(self) -> None:
        """Fill the account cache by backfills, without latency and without a rate limit."""
        self.site.latency, self.site.limits.per_window = timedelta(0), NO_LIMIT
        self._product.pace_account(self.connection_id, NO_LIMIT)
        backfill = self._temporal.get_workflow_handle(names.account_memory_workflow_id(self.connection_id))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            for _ in range(WARM_UP):
                await self.gather(self.open_incident())
                await backfill.result()
        self._product.pace_account(self.connection_id, None)
        self.site.latency, self.site.limits.per_window = LATENCY, LIMIT
        # The fast requests count against the rate limit for another minute.
        await asyncio.sleep(WINDOW_SECONDS)

    async def _progress(self, incident_id: str) -> RunProgress:
        ref = IncidentRef(connection_id=self.connection_id, incident_id=incident_id)
        handle = self._temporal.get_workflow_handle(names.context_id(ref))
        progress: RunProgress = await handle.query(names.QUERY_PROGRESS, result_type=RunProgress)
        return progress

    def cpu(self) -> float:
        """Return the worker's CPU time so far, in seconds."""
        times = self._worker.cpu_times()
        return times.user + times.system


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    started = time.monotonic()
    account = big_account(now=lambda: datetime.now(UTC), seed=8, days=180)
    creation_seconds = time.monotonic() - started
    site, token = AccountSite(account, clock=ScaledClock(), latency=LATENCY), secrets.token_hex(16)
    site.add_token(token)
    async with (
        running_rest_api(site) as url,
        running_product(folder, CALMO_SIMULATOR_URL=url) as product,
    ):
        connection_id = product.connect_account(token)
        temporal = await Client.connect(
            product.temporal_address, data_converter=DATA_CONVERTER, runtime=runtime()
        )
        bench = ContextBench(site, product, temporal, connection_id)
        print_progress("one context with an empty account cache")
        cold = await bench.measured(bench.open_incident())
        print_progress(f"{cold}; filling the account cache")
        await bench.wait_for_backfill()
        print_progress(f"{sizes.warm_contexts} contexts, one after the other")
        warm = [await bench.measured(bench.open_incident()) for _ in range(sizes.warm_contexts)]
        print_progress(f"{warm[-1]}; {sizes.contexts_at_once} contexts at once")
        figures = _figures(cold, warm) | await _measure_concurrent(bench, sizes.contexts_at_once)
    return figures, {
        "account": {
            "services": len(account.services),
            "dependencies": len(account.belongings.dependencies),
            "past_incidents": 10_000,
            "changes": len(account.belongings.change_events),
            "made_in_seconds": round(creation_seconds, 2),
        },
        "latency_ms_per_request": LATENCY / timedelta(milliseconds=1),
        "floor": "the requests of the source with the most requests, in sequence, at that latency",
        "warm_counts": {str(source): warm[-1].end.counts.get(source, 0) for source in Source},
    }


def _figures(cold: ContextMeasurement, warm: Sequence[ContextMeasurement]) -> Figures:
    over, cpu = [run.wall / run.floor for run in warm], [run.cpu for run in warm]
    return {
        "cold_requests": Figure(cold.requests, "requests"),
        "cold_seconds": Figure(cold.wall, "s"),
        "cold_worker_cpu_seconds": Figure(cold.cpu, "s"),
        "warm_requests": Figure(max(run.requests for run in warm), "requests", MAX_REQUESTS),
        "warm_seconds": median_of([run.wall for run in warm], "s"),
        "warm_floor_seconds": median_of([run.floor for run in warm], "s"),
        "warm_over_the_floor": median_of(over, "x floor", MAX_FLOOR_RATIO),
        "warm_worker_cpu_seconds": median_of(cpu, "s", MAX_CPU_SECONDS),
        "warm_degraded": Figure(sum(run.end.is_degraded for run in warm), "contexts"),
    }


async def _measure_concurrent(bench: ContextBench, count: int) -> Figures:
    """Gather `count` contexts at once: our own permits must keep the rate limit."""
    ids, before = [bench.open_incident() for _ in range(count)], len(bench.site.requests)
    cpu, started = bench.cpu(), time.monotonic()
    ends = await asyncio.gather(*(bench.gather(incident_id) for incident_id in ids))
    wall, cpu = time.monotonic() - started, bench.cpu() - cpu
    requests = list(bench.site.requests)[before:]
    times = sorted(request.at for request in requests)
    peak = max(sum(at <= later < at + WINDOW_SECONDS for later in times) for at in times)
    return {
        "at_once_seconds": Figure(wall, "s"),
        "at_once_requests": Figure(len(requests), "requests"),
        "at_once_peak_requests_per_minute": Figure(peak, "requests/min", LIMIT),
        "at_once_429": Figure(sum(request.status == 429 for request in requests), "answers", 0),
        "at_once_worker_cpu_seconds_each": Figure(cpu / count, "s"),
        "at_once_degraded": Figure(sum(end.is_degraded for end in ends), "contexts"),
        "at_once_failed": Figure(sum(end.state is not ContextState.COMPLETE for end in ends), "contexts", 0),
    }
