"""A snapshot of a large account: requests and time beside the rate limit's floor; then the analyses of it.

The account has 200 schedules, 300 policies, 500 services with 2,000 dependencies, 500 people and a year of
paging, behind a network on which each answer takes 150 ms, with PagerDuty's own limit of 960 requests a
minute.
"""

import asyncio
import json
import secrets
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client

from bench.ageing import make_older
from bench.figures import Figure, Figures
from bench.product import running_product
from bench.progress import print_progress
from bench.sizes import Sizes
from calmo_pagerduty.connections.rate_limit_store import DEFAULT_PER_MINUTE
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall.model import RunState
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.snapshots import store
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.temporal.client import DATA_CONVERTER, runtime
from pagerduty_simulator.big_account import big_account
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from workflows import names
from workflows.oncall_analysis import OnCallProgress, OnCallStart

LATENCY = timedelta(milliseconds=150)
TASK_QUEUE = "calmo-pagerduty"
MAX_COLD_REQUESTS, MAX_WARM_REQUESTS, MAX_FLOOR_RATIO = 2_000, 30, 1.2
MAX_CPU_SECONDS, MAX_MEGABYTES = 5.0, 400.0
MAX_CPU_SECONDS_OF_ALL, MAX_MEGABYTES_OF_ALL = 20.0, 600.0
MAX_MAP_SECONDS, MAX_REPORT_SECONDS = 2.0, 1.0
#: Snapshots leave half of the connection's share to others.
REQUESTS_PER_MINUTE = DEFAULT_PER_MINUTE // 2


@dataclass(frozen=True, slots=True)
class RunMeasurement:
    """One run; `wall` is that of reading, in seconds, `cpu` the worker's for all of it."""

    end: OnCallProgress
    requests: int
    wall: float
    cpu: float


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    print_progress("playing a year of a large account")
    account = big_account(now=lambda: datetime.now(UTC), seed=8, incidents=sizes.snapshot_incidents)
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
        worker = psutil.Process(product.pids()["worker"])
        print_progress("a cold snapshot, at half of the connection's share")
        cold = await _run(temporal, site, worker, connection_id)
        print_progress(f"{cold.requests} requests in {cold.wall:.0f} s; a warm snapshot")
        warm = await _run(temporal, site, worker, connection_id)
        print_progress(f"{warm.requests} requests; a snapshot a day later")
        await asyncio.to_thread(_go_back_a_day, folder, cold.end.snapshot_id, warm.end.snapshot_id)
        daily = await _run(temporal, site, worker, connection_id)
    print_progress("the analyses of the stored snapshot, in a program of their own")
    analyses = await _analyse(folder, daily.end.snapshot_id)
    return _figures(cold, warm, daily, analyses), {
        "account": {
            "schedules": len(account.belongings.schedules),
            "policies": len(account.escalation_policies),
            "services": len(account.services),
            "people": len(account.users),
            "incidents": len(account.incidents),
            "log_entries": len(account.log.entries),
        },
        "latency_ms_per_request": LATENCY / timedelta(milliseconds=1),
        "floor": f"the requests at {REQUESTS_PER_MINUTE} a minute",
        "cpu_seconds": analyses["cpu_seconds"],
        "findings": analyses["findings"],
    }


async def _run(
    temporal: Client, site: AccountSite, worker: psutil.Process, connection_id: str
) -> RunMeasurement:
    before, cpu = len(site.requests), _cpu(worker)
    handle = await temporal.start_workflow(
        names.ONCALL_ANALYSIS_WORKFLOW,
        OnCallStart(connection_id=connection_id, reason="bench"),
        id=names.oncall_workflow_id(connection_id),
        task_queue=TASK_QUEUE,
        result_type=OnCallProgress,
    )
    end: OnCallProgress = await handle.result()
    if end.state is not RunState.COMPLETE:
        raise RuntimeError(end.problem)
    times = [request.at for request in list(site.requests)[before:]]
    return RunMeasurement(end, len(times), max(times) - min(times), _cpu(worker) - cpu)


async def _analyse(folder: Path, snapshot_id: str) -> dict[str, Any]:
    database = Settings(data_dir=folder).database
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.oncall_analyses", database, snapshot_id, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate()
    measured: dict[str, Any] = json.loads(output)
    return measured


def _go_back_a_day(folder: Path, first_id: str, second_id: str) -> None:
    """Leave one snapshot, as if it had been taken a day ago."""
    with closing(Database(Settings(data_dir=folder).database)) as database:
        snapshot = asyncio.run(SnapshotReader(database).get_by_id(EVERYTHING, second_id))
        database.write_blocking(lambda tx: store.delete_snapshots(tx, [first_id]))
        make_older(database, snapshot, timedelta(days=1))


def _figures(
    cold: RunMeasurement, warm: RunMeasurement, daily: RunMeasurement, analyses: dict[str, Any]
) -> Figures:
    floor = cold.requests * 60 / REQUESTS_PER_MINUTE
    return {
        "cold_requests": Figure(cold.requests, "requests", MAX_COLD_REQUESTS),
        "cold_seconds": Figure(cold.wall, "s"),
        "cold_floor_seconds": Figure(floor, "s"),
        "cold_over_the_floor": Figure(cold.wall / floor, "x floor", MAX_FLOOR_RATIO),
        "cold_worker_cpu_seconds": Figure(cold.cpu, "s"),
        "warm_requests": Figure(warm.requests, "requests", MAX_WARM_REQUESTS),
        "warm_worker_cpu_seconds": Figure(warm.cpu, "s"),
        "daily_requests": Figure(daily.requests, "requests", MAX_WARM_REQUESTS),
        "daily_worker_cpu_seconds": Figure(daily.cpu, "s"),
        "on_call_cpu_seconds": Figure(analyses["on_call_cpu_seconds"], "s", MAX_CPU_SECONDS),
        "on_call_peak_memory": Figure(analyses["peak_megabytes"]["on_call"], "MB", MAX_MEGABYTES),
        "all_cpu_seconds": Figure(sum(analyses["cpu_seconds"].values()), "s", MAX_CPU_SECONDS_OF_ALL),
        "all_peak_memory": Figure(analyses["peak_megabytes"]["all"], "MB", MAX_MEGABYTES_OF_ALL),
        "map_cpu_seconds": Figure(analyses["map_cpu_seconds"], "s", MAX_MAP_SECONDS),
        "weekly_report_cpu_seconds": Figure(analyses["report_cpu_seconds"], "s", MAX_REPORT_SECONDS),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
