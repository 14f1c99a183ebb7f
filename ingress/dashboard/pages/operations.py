"""Operations: how far deliveries are behind, who works, reconciliation and rates by connection, the audit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from ingress.dashboard.worker_tables import worker_tables
from ingress.forwarding.forwarder import LEASE as FORWARDER_LEASE
from ingress.reconciliation.schedule_states import (
    WORDS_OF_SCHEDULED,
    ScheduleState,
    list_schedule_states,
)
from ingress.tools.models import VerificationModel, VerificationQuery

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
class ConnectionSchedule:
    """A schedule in Temporal, and its connection."""

    connection: ConnectionModel
    state: ScheduleState


async def show(ask: Ask) -> Content:
    """GET /dashboard/operations; with `verify=yes` the audit's chain is verified."""
    backlog = await ask.read(lambda t: backlog_queries.get_backlog(t, ask.caller.visibility))
    connections = await list_connections(ask)
    tables: dict[str, Table[Any]] = {
        "backlog": _backlog_table(backlog),
        "connections": _connection_table(await _work(ask, connections)),
    }
    schedules = await _schedules(ask, connections)
    if schedules is not None:
        tables["schedules"] = _schedule_table(schedules)
    parts: dict[str, object] = {}
    if ask.may(METRICS_READ) and ask.caller.visibility.everything:
        parts = json.loads(bytes((await ask.ingress.health.readyz(ask.request)).body))
        held = await ask.read(leases.list_leases)
        parts["forwarder"] = next((lease.holder for lease in held if lease.name == FORWARDER_LEASE), None)
        tables["leases"] = _lease_table(held)
        queues = await ask.ingress.task_queues.states()
        if queues is not None:
            tables |= worker_tables(queues, ask.now)
    return Content({"parts": parts, "verification": await _verification(ask)}, tables)


async def _verification(ask: Ask) -> VerificationModel | None:
    if not ask.may(AUDIT_READ) or ask.request.query_params.get("verify") != "yes":
        return None
    return await ask.ingress.tools.verify_audit(ask.request, ask.caller, VerificationQuery())


async def _work(ask: Ask, connections: Sequence[ConnectionModel]) -> Sequence[ConnectionWork]:
    def read(transaction: Transaction) -> Sequence[ConnectionWork]:
        work = []
        for connection in connections:
            runs = reconciliations.list_runs(transaction, connection.id, 1)
            until = reconciliations.get_watermark(transaction, connection.id)
            work.append(ConnectionWork(connection, until, runs[0] if runs else None))
        return work

    return await ask.read(read)


async def _schedules(ask: Ask, connections: Sequence[ConnectionModel]) -> Sequence[ConnectionSchedule] | None:
    """Return the schedules of the connections that the caller sees; None if Temporal does not answer."""
    by_id = {connection.id: connection for connection in connections}
    states = await list_schedule_states(ask.ingress.services.temporal, by_id)
    if states is None:
        return None
    return [ConnectionSchedule(by_id[state.connection_id], state) for state in states]


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
    return (
        "not told yet" if rate.minute_remaining is None else f"{rate.minute_remaining} of {rate.minute_limit}"
    )


def _run_text(item: ConnectionWork) -> str:
    run = item.last_run
    if run is None:
        return "none"
    return f"{run.reason}, {'ended ' + str(run.finished_at) if run.finished_at else 'not finished'}"


def _schedule_table(schedules: Sequence[ConnectionSchedule]) -> Table[ConnectionSchedule]:
    return Table(
        "Schedules in Temporal",
        (
            Column("Connection", lambda row: row.connection.name, cell="connection_work"),
            Column("What", lambda row: WORDS_OF_SCHEDULED[row.state.workflow]),
            Column("State", _schedule_text, cell="schedule_state"),
            Column("Last run", lambda row: str(row.state.last_run or "never"), cell="schedule_last"),
            Column("Next run", lambda row: str(row.state.next_run or "none"), cell="next_run"),
        ),
        schedules,
        empty="Temporal keeps no schedule yet. A connection gets its schedules within a minute.",
    )


def _schedule_text(row: ConnectionSchedule) -> str:
    if not row.state.is_paused:
        return "runs"
    return f"paused: {row.state.note}" if row.state.note else "paused"


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
