"""Operations: how far deliveries are behind, who works, reconciliation and rates by connection, the audit."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.access.permissions import AUDIT_READ, CONNECTIONS_READ, METRICS_READ
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.leases import Lease
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import backlog_queries
from calmo_pagerduty.deliveries.backlog_queries import Backlog
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.store import ReconcileRun
from ingress.connections.models import ConnectionModel
from ingress.dashboard.looks import LOOK_OF_DELIVERY_STATE
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.pages.connections import list_connections
from ingress.dashboard.tables import Column, Table
from ingress.tools.models import VerificationModel, VerificationQuery

#: Temporal is asked for no longer than this.
TEMPORAL_SECONDS = 2.0

WORDS_OF_WAITING = {
    DeliveryState.PENDING: "wait for the forwarder",
    DeliveryState.FORWARDED: "were forwarded, and are not on their timelines yet",
    DeliveryState.DEAD_LETTER: "were not understood; they can be replayed after an update",
}


@dataclass(frozen=True, slots=True)
class ConnectionWork:
    """A connection's rate and its last reconciliation. Times are UTC."""

    connection: ConnectionModel
    reconciled_until: datetime | None
    last_run: ReconcileRun | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that polled our task queue lately. `last_seen` is UTC."""

    identity: str
    kind: str
    last_seen: datetime


async def show(ask: Ask) -> Content:
    """GET /dashboard/operations; with `verify=yes` the audit's chain is verified."""
    backlog = await ask.read(lambda t: backlog_queries.get_backlog(t, ask.caller.visibility))
    is_operator = ask.may(METRICS_READ) and ask.caller.visibility.everything
    tables: dict[str, Table[Backlog] | Table[ConnectionWork] | Table[Lease] | Table[Worker]] = {
        "backlog": _backlog_table(backlog),
        "connections": _connection_table(await _work(ask)),
    }
    parts: dict[str, object] = {}
    if is_operator:
        parts = json.loads(bytes((await ask.ingress.health.readyz(ask.request)).body))
        workers = await _workers(ask)
        if workers is not None:
            tables["workers"] = _worker_table(workers)
        tables["leases"] = _lease_table(await ask.read(leases.list_leases))
    return Content({"parts": parts, "verification": await _verification(ask)}, tables)


async def _verification(ask: Ask) -> VerificationModel | None:
    if not ask.may(AUDIT_READ) or ask.request.query_params.get("verify") != "yes":
        return None
    return await ask.ingress.tools.verify_audit(ask.request, ask.caller, VerificationQuery())


async def _work(ask: Ask) -> Sequence[ConnectionWork]:
    connections = await list_connections(ask)

    def read(transaction: Transaction) -> Sequence[ConnectionWork]:
        work = []
        for connection in connections:
            runs = reconciliations.list_runs(transaction, connection.id, 1)
            until = reconciliations.get_watermark(transaction, connection.id)
            work.append(ConnectionWork(connection, until, runs[0] if runs else None))
        return work

    return await ask.read(read)


async def _workers(ask: Ask) -> Sequence[Worker] | None:
    """Return the workers of both kinds of tasks; None if Temporal does not answer."""
    temporal = ask.ingress.services.temporal
    if not temporal.connected:
        return None
    kinds = {
        TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: "workflows",
        TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: "activities",
    }
    found: list[Worker] = []
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            for kind, word in kinds.items():
                queue = ask.ingress.services.settings.task_queue
                found += await _pollers(temporal.client, queue, kind, word)
    except (RPCError, TimeoutError):
        return None
    return sorted(found, key=lambda worker: (worker.kind, worker.identity))


async def _pollers(client: Client, queue: str, kind: "TaskQueueType.ValueType", word: str) -> list[Worker]:
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
    )
    return [
        Worker(poller.identity, word, poller.last_access_time.ToDatetime().astimezone())
        for poller in description.pollers
    ]


def _backlog_table(backlog: Sequence[Backlog]) -> Table[Backlog]:
    return Table(
        "Deliveries on their way",
        (
            Column("State", lambda item: LOOK_OF_DELIVERY_STATE[item.state].word, cell="backlog_state"),
            Column("Deliveries", lambda item: str(item.count), is_figure=True),
            Column("What they do", lambda item: WORDS_OF_WAITING[item.state]),
            Column("Oldest", lambda item: str(item.oldest_at or ""), cell="oldest"),
        ),
        backlog,
    )


def _connection_table(work: Sequence[ConnectionWork]) -> Table[ConnectionWork]:
    return Table(
        "Connections at work",
        (
            Column("Connection", lambda item: item.connection.name, cell="connection_work"),
            Column("Left at PagerDuty, a minute", _left, is_figure=True),
            Column("Our share", lambda item: str(item.connection.rate.requests_per_minute), is_figure=True),
            Column("Reconciled until", lambda item: str(item.reconciled_until or "never"), cell="reconciled"),
            Column("Last run", _run_text, cell="last_run"),
        ),
        work,
        empty="No PagerDuty account is connected yet.",
    )


def _left(item: ConnectionWork) -> str:
    rate = item.connection.rate
    return "" if rate.minute_remaining is None else f"{rate.minute_remaining} of {rate.minute_limit}"


def _run_text(item: ConnectionWork) -> str:
    run = item.last_run
    if run is None:
        return "none"
    return f"{run.reason}, {'ended ' + str(run.finished_at) if run.finished_at else 'not finished'}"


def _worker_table(workers: Sequence[Worker]) -> Table[Worker]:
    return Table(
        "Workers",
        (
            Column("Worker", lambda worker: worker.identity),
            Column("Polls for", lambda worker: worker.kind),
            Column("Last seen", lambda worker: worker.last_seen.isoformat(), cell="worker_seen"),
        ),
        workers,
        empty="No worker polls: incidents are received and kept, and become issues once one does.",
    )


def _lease_table(held: Sequence[Lease]) -> Table[Lease]:
    return Table(
        "Leases",
        (
            Column("Task", lambda lease: lease.name),
            Column("Held by", lambda lease: lease.holder),
            Column("Until", lambda lease: lease.until.isoformat(), cell="lease_until"),
        ),
        held,
        empty="No process holds a lease: no forwarder runs.",
    )


PAGES = (
    Page(
        "/operations",
        "Operations",
        CONNECTIONS_READ,
        show,
        "operations",
        menu="Operations",
        key="o",
        sets_up="Whether everything runs: deliveries on their way, workers, leases, reconciliation, rates.",
    ),
)
