"""The Temporal worker: settings, clients, Worker. `python worker.py` runs it against any Temporal."""

import asyncio
import logging
import signal
import sys
from contextlib import aclosing
from dataclasses import replace

import uvloop

from bootstrap.services import Services
from bootstrap.store import open_store
from bootstrap.workers import SHUTDOWN_GRACE, connect, incident_worker, pagerduty_worker
from calmo_pagerduty import logs
from calmo_pagerduty.heartbeats import show_heartbeat
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.processes import yield_to_doors
from calmo_pagerduty.settings import Settings, load_settings
from calmo_pagerduty.temporal.handle import TemporalHandle

logger = logging.getLogger(__name__)


async def run_worker(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set. Raises MissingSearchAttributes, MetricsNotServed."""
    await connect(services)
    async with aclosing(services), incident_worker(services), pagerduty_worker(services):
        logger.info("worker_started", extra={"task_queue": services.settings.task_queue})
        await stop.wait()
    logger.info("worker_stopped")


def main(settings: Settings | None = None) -> None:
    """Run until SIGTERM or SIGINT.

    Raises StoreUnavailable, KeyProblem, MissingSearchAttributes, MetricsNotServed.
    """
    settings = settings or load_settings()
    yield_to_doors()
    logs.configure(settings.log_level, settings.log_format)
    with open_store(settings) as store:
        services = Services.of(store)
        handle = TemporalHandle(metrics_address=settings.worker_metrics)
        uvloop.run(_run_until_signal(replace(services, temporal=handle)))


async def _run_until_signal(services: Services) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(run_worker(services, stop))
    heartbeat = asyncio.create_task(show_heartbeat(services.settings.heartbeat_folder, "worker"))
    # A signal may come before Temporal is connected.
    await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        await asyncio.wait_for(running, SHUTDOWN_GRACE.total_seconds() + 2)
    except TimeoutError:
        logger.info("worker_stopped_while_connecting")
    finally:
        heartbeat.cancel()
    await asyncio.sleep(0.05)  # Let Temporal's threads end: the interpreter may abort otherwise.


if __name__ == "__main__":
    try:
        main()
    except ExplainedError as problem:
        sys.exit(f"worker: {problem}")
