"""The Temporal worker: settings, clients, Worker. `python worker.py` runs it against any Temporal."""

import asyncio
import logging
import signal
import sys
from datetime import timedelta

import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.gatherers import Gatherers, gatherers
from activities.healers import Healers, healers
from activities.issue_records import IssueRecords
from activities.pagerduty_accounts import PagerDutyAccounts
from activities.response_records import ResponseRecords
from activities.tool_calls import ToolCalls
from activities.tool_gate import ToolGate
from activities.tool_records import ToolRecords
from calmo_pagerduty import logs, temporal_client
from calmo_pagerduty.pagerduty_api.client import connect
from calmo_pagerduty.settings import InvalidSettings, Settings, load_settings
from calmo_pagerduty.store.database import Database, StoreUnavailable
from calmo_pagerduty.store.encryption import KeyProblem
from calmo_pagerduty.temporal_client import MissingSearchAttributes
from calmo_pagerduty.temporal_limits import limit_each_connection
from workflows import names
from workflows.account_memory import AccountMemoryWorkflow
from workflows.doctor import DoctorWorkflow
from workflows.incident import IncidentWorkflow
from workflows.incident_context import IncidentContextWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.tool_call import ToolCallWorkflow

logger = logging.getLogger(__name__)

#: In-flight steps may finish for this long after SIGTERM.
GRACE = timedelta(seconds=4)


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Work until told to stop. Raises StoreUnavailable if the database can't be migrated, KeyProblem."""
    # What a power failure takes from a timeline, the forwarder misses there and sends again.
    database = Database(settings.database, durable=False)
    try:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        client = await temporal_client.connect(names.SEARCH_ATTRIBUTES)
        async with connect() as http:
            accounts = PagerDutyAccounts(database, keyring, http, settings.simulator_url)
            calls = ToolCalls(ToolRecords(database, ToolGate(database)), accounts)
            healing = healers(database, accounts, settings.public_address)
            gathering = gatherers(client, database, accounts, settings.task_queue)
            await limit_each_connection(client, names.calls_queue(settings.task_queue))
            async with (
                incident_worker(client, settings, IssueRecords(database), calls, healing, gathering),
                pagerduty_worker(client, settings, calls, healing, gathering),
            ):
                logger.info("worker_started", extra={"task_queue": settings.task_queue})
                await stop.wait()
        logger.info("worker_stopped")
    finally:
        database.close()


def incident_worker(
    client: Client,
    settings: Settings,
    records: IssueRecords,
    calls: ToolCalls,
    healing: Healers | None = None,
    gathering: Gatherers | None = None,
) -> Worker:
    """Workflows, and the short writes to our own database that they make."""
    runs = [step for one in (healing, gathering) if one for step in one.on_our_side]
    targets = ResponseRecords(records.database, ToolGate(records.database))
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[
            IncidentWorkflow, ToolCallWorkflow, ReconcileWorkflow, DoctorWorkflow, IncidentContextWorkflow,
            AccountMemoryWorkflow,
        ],
        activities=[
            records.save_events, records.set_aside, calls.file_call, calls.record_decision, calls.end_call,
            targets.look_at_targets, *runs,
        ],
        # Purity is kept by import contracts, lint and replayed histories; tests run sandboxed.
        workflow_runner=SandboxedWorkflowRunner()
        if settings.workflow_sandbox
        else UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=settings.workflow_slots,
        max_cached_workflows=settings.cached_workflows,
        # Half of the polls for new incidents: with a burst coalesced, most steps are first steps, and
        # the default leaves them one poll of five.
        max_concurrent_workflow_task_polls=8,
        nonsticky_to_sticky_poll_ratio=0.5,
        sticky_queue_schedule_to_start_timeout=settings.sticky_timeout,
        graceful_shutdown_timeout=GRACE,
    )  # fmt: skip


def pagerduty_worker(
    client: Client,
    settings: Settings,
    calls: ToolCalls,
    healing: Healers | None = None,
    gathering: Gatherers | None = None,
) -> Worker:
    """What asks PagerDuty, on a queue of its own: a storm of it must not delay incidents."""
    runs = [step for one in (healing, gathering) if one for step in one.at_pagerduty]
    return Worker(
        client,
        task_queue=names.calls_queue(settings.task_queue),
        activities=[calls.carry_out, *runs],
        max_concurrent_activities=settings.pagerduty_slots,
        graceful_shutdown_timeout=GRACE,
    )


def main(settings: Settings | None = None) -> None:
    """Run until SIGTERM or SIGINT."""
    settings = settings or load_settings()
    logs.configure(settings.log_level, settings.log_format)
    uvloop.run(_run_until_signal(settings))


async def _run_until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(run_worker(settings, stop))
    stopping = asyncio.create_task(stop.wait())
    # A signal may come while we still wait for Temporal.
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        await asyncio.wait_for(running, GRACE.total_seconds() + 2)
    except TimeoutError:
        logger.info("worker_stopped_while_connecting")
    # The interpreter may abort if Temporal's threads still end: let them.
    await asyncio.sleep(0.05)


if __name__ == "__main__":
    try:
        main()
    except (InvalidSettings, KeyProblem, StoreUnavailable, MissingSearchAttributes) as problem:
        sys.exit(f"worker: {problem}")
