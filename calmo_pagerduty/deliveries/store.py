"""The inbox, which is also the delivery log: one row per delivery, committed before we answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.connections.severity import Severity, own_severities
from calmo_pagerduty.db.announcements import Channel, announce
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import connections, deliveries, delivery_bodies, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.kernel.incident_ref import IncidentRef


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A verified delivery. `facts` is the JSON of the event facts, without `seq`. Times are UTC."""

    webhook_id: str
    connection_id: str
    dedup_key: str
    received_at: datetime
    body: bytes
    body_sha256: str
    secret_version: int
    verdict: Verdict
    state: DeliveryState
    remarks: str = ""
    reason: str | None = None
    delivery_id: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    incident_id: str | None = None
    occurred_at: datetime | None = None
    facts: str | None = None
    #: The incident's key if it looks like an escalation drill's. It is not stored.
    drill_key: str | None = None


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A delivery to forward. `facts` is JSON as in NewDelivery."""

    seq: int
    ref: IncidentRef
    scope: str
    #: The connection's own priority names, in lower case, with their severities.
    severities: Mapping[str, Severity]
    facts: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ForwardedPage:
    """Forwarded deliveries that were looked at, up to `last`; None at the end of all of them."""

    #: Those whose event is on the timeline.
    arrived: tuple[int, ...]
    last: int | None


#: From this attempt on, the timeout doubles no more.
_LAST_DOUBLING = 7

_FIND = sa.select(deliveries.c.body_sha256).where(
    deliveries.c.webhook_id == bindparam("webhook"), deliveries.c.dedup_key == bindparam("key")
)
_ADD_BODY = delivery_bodies.insert()
_COUNT_DUPLICATE = (
    sa.update(deliveries)
    .where(deliveries.c.webhook_id == bindparam("webhook"), deliveries.c.dedup_key == bindparam("key"))
    .values(duplicates=deliveries.c.duplicates + 1)
)
_PENDING = (
    sa.select(
        deliveries.c.seq,
        deliveries.c.connection_id,
        deliveries.c.incident_id,
        deliveries.c.facts,
        deliveries.c.attempts,
        connections.c.scope,
        connections.c.severities,
    )
    .join(connections, connections.c.id == deliveries.c.connection_id)
    .where(deliveries.c.state == DeliveryState.PENDING, deliveries.c.seq > bindparam("after"))
    .order_by(deliveries.c.seq)
    .limit(bindparam("at_most"))
)
_LAST_PENDING = sa.select(sa.func.max(deliveries.c.seq)).where(deliveries.c.state == DeliveryState.PENDING)
_MARK = (
    sa.update(deliveries)
    .where(
        deliveries.c.seq.in_(bindparam("seqs", expanding=True)),
        deliveries.c.state == DeliveryState.PENDING,
    )
    .values(state=DeliveryState.FORWARDED, forwarded_at=bindparam("at", type_=deliveries.c.received_at.type))
)
_ON_THE_TIMELINE = sa.exists(
    sa.select(timeline.c.id)
    .join(issues, issues.c.id == timeline.c.issue_id)
    .where(
        issues.c.connection_id == deliveries.c.connection_id,
        issues.c.incident_id == deliveries.c.incident_id,
        timeline.c.event_id == deliveries.c.event_id,
    )
)


def insert_delivery(tx: Transaction, delivery: NewDelivery) -> Verdict:
    """Insert a delivery and return its verdict.

    A duplicate only increments the first row's counter. A delivery with the same event id and another
    body gets its own row, as a conflict.
    """
    if _insert(tx, delivery, _delivery_row(delivery)):
        return delivery.verdict
    key = {"webhook": delivery.webhook_id, "key": delivery.dedup_key}
    if tx.execute(_FIND, key).scalar() == delivery.body_sha256:
        tx.execute(_COUNT_DUPLICATE, key)
        return Verdict.DUPLICATE
    conflict = {
        "dedup_key": f"conflict:{delivery.dedup_key}:{delivery.body_sha256}",
        "verdict": Verdict.CONFLICT,
        "state": DeliveryState.CONFLICT,
        "reason": "an event with this id came before, with another body",
    }
    _insert(tx, delivery, _delivery_row(delivery) | conflict)
    return Verdict.CONFLICT


def list_pending(
    tx: Transaction,
    after: int,
    at_most: int,
    but_connections: Collection[str] = (),
    but_incidents: Collection[IncidentRef] = (),
) -> list[PendingDelivery]:
    """Return deliveries to forward, in order of arrival, starting after `seq` number `after`.

    It passes over those of `but_connections` and `but_incidents`.
    """
    query = _PENDING
    if but_connections:
        query = query.where(deliveries.c.connection_id.not_in(list(but_connections)))
    if but_incidents:
        key = sa.tuple_(deliveries.c.connection_id, deliveries.c.incident_id)
        query = query.where(key.not_in([(ref.connection_id, ref.incident_id) for ref in but_incidents]))
    rows = tx.execute(query, {"after": after, "at_most": at_most})
    return [
        PendingDelivery(
            row.seq,
            IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id),
            row.scope,
            own_severities(row.severities),
            row.facts,
            row.attempts,
        )
        for row in rows
    ]


def get_last_pending(tx: Transaction) -> int:
    """Return the highest `seq` number of the deliveries to forward; 0 if there are none."""
    return tx.execute(_LAST_PENDING).scalar() or 0


def mark_forwarded(tx: Transaction, seqs: Sequence[int], at: datetime) -> None:
    """Mark deliveries whose events Temporal has accepted, at `at` (UTC)."""
    tx.execute(_MARK, {"seqs": list(seqs), "at": at})


def mark_dead(tx: Transaction, seqs: Sequence[int], reason: str) -> None:
    """Mark deliveries that can't be forwarded or understood as dead letters, for a person to look at."""
    dead = sa.update(deliveries).where(deliveries.c.seq.in_(list(seqs)))
    tx.execute(dead.values(state=DeliveryState.DEAD_LETTER, reason=reason))


def mark_needs_reconcile(tx: Transaction, refs: Sequence[IncidentRef]) -> None:
    """Mark the incidents' issues for reconciliation: something could not be applied to them."""
    for ref in refs:
        marked = sa.update(issues).where(issues.c.id == ref.issue_id)
        tx.execute(marked.values(needs_reconcile=True))


def list_forwarded(tx: Transaction, after: int, at_most: int) -> ForwardedPage:
    """Look at forwarded deliveries after `seq` number `after`: which of them are on their timeline?"""
    looked_at = (
        sa.select(deliveries.c.seq)
        .where(deliveries.c.state == DeliveryState.FORWARDED, deliveries.c.seq > after)
        .order_by(deliveries.c.seq)
        .limit(at_most)
    )
    page = tx.execute(looked_at).scalars().all()
    if not page:
        return ForwardedPage((), None)
    within = deliveries.c.seq.between(page[0], page[-1])
    arrived = sa.select(deliveries.c.seq).where(
        within, deliveries.c.state == DeliveryState.FORWARDED, _ON_THE_TIMELINE
    )
    last = page[-1] if len(page) == at_most else None
    return ForwardedPage(tuple(tx.execute(arrived.order_by(deliveries.c.seq)).scalars()), last)


def mark_applied(tx: Transaction, seqs: Sequence[int], now: datetime) -> int:
    """Mark forwarded deliveries as applied, at `now` (UTC). Returns how many."""
    applied = sa.update(deliveries).where(
        deliveries.c.seq.in_(list(seqs)), deliveries.c.state == DeliveryState.FORWARDED
    )
    # A replayed delivery keeps the time at which it was applied first.
    first = sa.func.coalesce(deliveries.c.applied_at, sa.literal(now, deliveries.c.applied_at.type))
    return tx.execute(applied.values(state=DeliveryState.APPLIED, applied_at=first)).rowcount


def list_overdue(tx: Transaction, now: datetime, timeout: timedelta, at_most: int) -> list[int]:
    """Return deliveries, oldest first, that were forwarded but reached no timeline within `timeout`.

    So we send again what Temporal lost (a terminated workflow, a restored backup). The timeout doubles with
    each attempt, because perhaps no worker is running.
    """
    overdue = sa.or_(
        *(
            sa.and_(
                deliveries.c.attempts == attempt
                if attempt < _LAST_DOUBLING
                else deliveries.c.attempts >= attempt,
                deliveries.c.forwarded_at < now - timeout * 2**attempt,
            )
            for attempt in range(_LAST_DOUBLING + 1)
        )
    )
    lost = sa.select(deliveries.c.seq).where(deliveries.c.state == DeliveryState.FORWARDED, overdue)
    return list(tx.execute(lost.order_by(deliveries.c.seq).limit(at_most)).scalars())


def mark_pending_again(tx: Transaction, seqs: Sequence[int]) -> int:
    """Mark forwarded deliveries that are not on their timeline as pending again. Returns how many."""
    lost = sa.update(deliveries).where(
        deliveries.c.seq.in_(list(seqs)), deliveries.c.state == DeliveryState.FORWARDED, ~_ON_THE_TIMELINE
    )
    again = {"state": DeliveryState.PENDING, "attempts": deliveries.c.attempts + 1}
    return tx.execute(lost.values(**again)).rowcount


def list_backlogged_incidents(tx: Transaction, at_least: int) -> list[IncidentRef]:
    """Return incidents with at least `at_least` forwarded deliveries that reached no timeline yet."""
    columns = (deliveries.c.connection_id, deliveries.c.incident_id)
    rows = tx.execute(
        sa.select(*columns)
        .where(deliveries.c.state == DeliveryState.FORWARDED)
        .group_by(*columns)
        .having(sa.func.count() >= at_least)
    )
    return [IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id) for row in rows]


def count_unfinished(tx: Transaction) -> int:
    """Return how many deliveries are pending or unconfirmed."""
    unfinished = deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.FORWARDED])
    return tx.execute(sa.select(sa.func.count()).where(unfinished)).scalar_one()


def _insert(tx: Transaction, delivery: NewDelivery, row: dict[str, Any]) -> bool:
    """Insert the delivery and its body. Returns False if its key exists already."""
    inserted = tx.execute(insert_or_ignore(tx, deliveries), row)
    if inserted.rowcount != 1:
        return False
    if row["state"] == DeliveryState.PENDING:
        announce(tx, Channel.INBOX)
    key = inserted.inserted_primary_key
    assert key is not None
    tx.execute(_ADD_BODY, {"seq": key[0], "body": delivery.body})
    return True


def _delivery_row(delivery: NewDelivery) -> dict[str, Any]:
    return {
        "webhook_id": delivery.webhook_id,
        "connection_id": delivery.connection_id,
        "dedup_key": delivery.dedup_key,
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "incident_id": delivery.incident_id,
        "occurred_at": delivery.occurred_at,
        "received_at": delivery.received_at,
        "body_bytes": len(delivery.body),
        "body_sha256": delivery.body_sha256,
        "secret_version": delivery.secret_version,
        "verdict": delivery.verdict,
        "remarks": delivery.remarks,
        "reason": delivery.reason,
        "facts": delivery.facts,
        "state": delivery.state,
    }
