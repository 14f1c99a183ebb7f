"""Find the connections whose on-call analyses run, and reasons to run them before their schedule. UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.db.tables import connections, deliveries, oncall_runs, tool_calls
from calmo_pagerduty.db.transactions import Transaction

FIRST_TIME = "for the first time"
AFTER_OWN_CHANGE = "after a change that was made here"
AFTER_CHANGE = "after a change at PagerDuty"
#: Changes often come together: a run waits until there was none for this long,
QUIET = timedelta(minutes=1)
#: but no longer than this,
MAX_WAIT = timedelta(minutes=10)
#: and a connection's runs begin this far apart at least.
MIN_DISTANCE = timedelta(minutes=10)
#: How many of the latest deliveries in the inbox are searched.
RECENT_DELIVERIES = 5000
#: Tools that change who is on call, whom an incident pages, or what depends on what.
CHANGING_TOOLS = (
    "%schedule%",
    "%override%",
    "%escalation_polic%",
    "%rotation%",
    "%custom_shift%",
    "add_service_dependency",
)


@dataclass(frozen=True, slots=True)
class AnalysedConnection:
    """A connection with a token."""

    connection_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class _Changes:
    """When the first and the last change since a run were seen."""

    first: datetime
    last: datetime
    reason: str


def list_analysed_connections(tx: Transaction) -> tuple[AnalysedConnection, ...]:
    """Return the connections that can be analysed."""
    query = sa.select(connections.c.id, connections.c.scope).where(
        connections.c.removed_at.is_(None), connections.c.token_kind.is_not(None)
    )
    return tuple(AnalysedConnection(*row) for row in tx.execute(query.order_by(connections.c.id)))


def get_run_reason(tx: Transaction, connection_id: str, now: datetime) -> str | None:
    """Return why to run the analyses now, from changes since the last run; None if there is no reason."""
    newest = sa.select(sa.func.max(oncall_runs.c.begun_at)).where(
        oncall_runs.c.connection_id == connection_id, oncall_runs.c.as_of.is_(None)
    )
    begun_at = tx.execute(newest).scalar()
    if begun_at is None:
        return FIRST_TIME
    if now - begun_at < MIN_DISTANCE:
        return None
    seen = [
        changes
        for changes in (_own_changes(tx, connection_id, begun_at), _reported(tx, connection_id, begun_at))
        if changes is not None
    ]
    due = [changes for changes in seen if now - changes.last >= QUIET or now - changes.first >= MAX_WAIT]
    return due[0].reason if due else None


def _own_changes(tx: Transaction, connection_id: str, since: datetime) -> _Changes | None:
    """Return the writes of ours since then that changed schedules or policies."""
    query = sa.select(sa.func.min(tool_calls.c.finished_at), sa.func.max(tool_calls.c.finished_at)).where(
        tool_calls.c.connection_id == connection_id,
        tool_calls.c.finished_at > since,
        tool_calls.c.state == "done",
        sa.or_(*(tool_calls.c.tool.like(pattern) for pattern in CHANGING_TOOLS)),
    )
    first, last = tx.execute(query).one()
    return None if first is None else _Changes(first, last, AFTER_OWN_CHANGE)


def _reported(tx: Transaction, connection_id: str, since: datetime) -> _Changes | None:
    """Return the changes of services since then that webhooks reported: PagerDuty reports no others."""
    latest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.seq), 0)).scalar_subquery()
    query = sa.select(sa.func.min(deliveries.c.received_at), sa.func.max(deliveries.c.received_at)).where(
        deliveries.c.seq > latest - RECENT_DELIVERIES,
        deliveries.c.connection_id == connection_id,
        deliveries.c.received_at > since,
        deliveries.c.event_type.like("service.%"),
    )
    first, last = tx.execute(query).one()
    return None if first is None else _Changes(first, last, AFTER_CHANGE)
