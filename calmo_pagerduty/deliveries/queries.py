"""Reads deliveries and refusals for people. Each call takes a Visibility."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from calmo_pagerduty.db.tables import deliveries, delivery_bodies, issues, refusals, timeline, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.model import HANDLE_PATTERN, DeliveryState, Verdict
from calmo_pagerduty.kernel.scopes import Visibility

#: A count looks at no more deliveries than these, so that a page never waits for a long one.
COUNTED_DELIVERIES = 50_000


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """A filter of deliveries: any value of a field matches, and all fields must match."""

    #: Ids or handles.
    webhooks: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    event_types: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    #: ping, unknown_type, best_effort, stale.
    remarks: tuple[str, ...] = ()
    #: Received at or after `since`, and before `until`, in UTC.
    since: datetime | None = None
    until: datetime | None = None
    seqs: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if it lets every delivery through."""
        return self == DeliveryFilter()


@dataclass(frozen=True, slots=True)
class DeliveryEffect:
    """The timeline entry of a delivery's event. `moved`: the event changed the issue's state."""

    issue_id: str
    action: str
    moved: bool


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """One row of the delivery log. All times are UTC."""

    seq: int
    webhook_id: str
    connection_id: str
    scope: str
    delivery_id: str | None
    event_id: str | None
    event_type: str | None
    incident_id: str | None
    occurred_at: datetime | None
    received_at: datetime
    forwarded_at: datetime | None
    applied_at: datetime | None
    body_bytes: int
    body_sha256: str
    secret_version: int
    verdict: Verdict
    state: DeliveryState
    remarks: tuple[str, ...]
    reason: str | None
    duplicates: int
    attempts: int
    replays: int
    effect: DeliveryEffect | None

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from receipt until its event was seen on the timeline; None if it wasn't."""
        if self.applied_at is None:
            return None
        return round((self.applied_at - self.received_at).total_seconds() * 1000, 1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The trace of a delivery that was not authenticated, without its body. `at` is UTC."""

    id: int
    webhook_id: str
    at: datetime
    verdict: Verdict
    reason: str
    status: int
    body_bytes: int
    body_sha256: str


_COLUMNS = [
    deliveries.c[name]
    for name in (
        "seq", "webhook_id", "connection_id", "delivery_id", "event_id", "event_type", "incident_id",
        "occurred_at", "received_at", "forwarded_at", "applied_at", "body_bytes", "body_sha256",
        "secret_version", "verdict", "state", "remarks", "reason", "duplicates", "attempts", "replays",
    )
]  # fmt: skip
_LOGGED = (
    sa.select(
        *_COLUMNS,
        webhooks.c.scope,
        timeline.c.issue_id,
        timeline.c.action,
        timeline.c.moved,
    )
    .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
    .outerjoin(
        issues,
        sa.and_(
            issues.c.connection_id == deliveries.c.connection_id,
            issues.c.incident_id == deliveries.c.incident_id,
        ),
    )
    .outerjoin(
        timeline,
        sa.and_(timeline.c.issue_id == issues.c.id, timeline.c.event_id == deliveries.c.event_id),
    )
)


def list_deliveries(
    tx: Transaction,
    visibility: Visibility,
    criteria: DeliveryFilter,
    limit: int,
    before: int | None = None,
) -> tuple[LoggedDelivery, ...]:
    """Return deliveries, newest first; with `before`, only those with a smaller `seq`."""
    query = (
        _LOGGED.where(*filter_conditions(visibility, criteria)).order_by(deliveries.c.seq.desc()).limit(limit)
    )
    if before is not None:
        query = query.where(deliveries.c.seq < before)
    return tuple(_logged_delivery(row) for row in tx.execute(query))


def count_deliveries(tx: Transaction, visibility: Visibility) -> Mapping[tuple[str, str, str | None], int]:
    """Return state, verdict and event type → number, of the newest `COUNTED_DELIVERIES` that may be seen."""
    newest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.seq), 0)).scalar_subquery()
    group = (deliveries.c.state, deliveries.c.verdict, deliveries.c.event_type)
    query = join_webhooks(sa.select(*group, sa.func.count()).select_from(deliveries)).where(
        deliveries.c.seq > newest - COUNTED_DELIVERIES, visible_to(webhooks.c.scope, visibility)
    )
    return {(row[0], row[1], row[2]): row[3] for row in tx.execute(query.group_by(*group))}


def get_delivery(tx: Transaction, visibility: Visibility, seq: int) -> LoggedDelivery | None:
    """Return a delivery; None if there is none that the caller may see."""
    rows = list_deliveries(tx, visibility, DeliveryFilter(seqs=(seq,)), 1)
    return rows[0] if rows else None


def get_body(tx: Transaction, delivery: LoggedDelivery) -> bytes | None:
    """Return the body as it came; None if retention has deleted it."""
    query = sa.select(delivery_bodies.c.body).where(delivery_bodies.c.seq == delivery.seq)
    body: bytes | None = tx.execute(query).scalar()
    return body


def list_refusals(
    tx: Transaction,
    visibility: Visibility,
    criteria: DeliveryFilter,
    limit: int,
    before: int | None = None,
) -> tuple[Refusal, ...]:
    """Return refusals, newest first. Only the filter's webhooks, verdicts and times apply."""
    query = sa.select(refusals).join(webhooks, webhooks.c.id == refusals.c.webhook_id)
    query = query.where(
        visible_to(webhooks.c.scope, visibility),
        *_of_webhooks(criteria.webhooks),
        *_any_of((refusals.c.verdict, criteria.verdicts)),
        *_between(refusals.c.at, criteria),
    )
    if before is not None:
        query = query.where(refusals.c.id < before)
    rows = tx.execute(query.order_by(refusals.c.id.desc()).limit(limit))
    return tuple(Refusal(**row._asdict() | {"verdict": Verdict(row.verdict)}) for row in rows)


def filter_conditions(visibility: Visibility, criteria: DeliveryFilter) -> list[ColumnElement[bool]]:
    """Return the WHERE conditions for a query of deliveries joined with their webhooks."""
    padded = "," + deliveries.c.remarks + ","
    remarks = [padded.contains(f",{remark},", autoescape=True) for remark in criteria.remarks]
    return [
        visible_to(webhooks.c.scope, visibility),
        *_of_webhooks(criteria.webhooks),
        *_any_of(
            (deliveries.c.verdict, criteria.verdicts),
            (deliveries.c.state, criteria.states),
            (deliveries.c.event_type, criteria.event_types),
            (deliveries.c.incident_id, criteria.incidents),
            (deliveries.c.seq, criteria.seqs),
        ),
        *([sa.or_(*remarks)] if remarks else []),
        *_between(deliveries.c.received_at, criteria),
    ]


def join_webhooks(columns: Select[Any]) -> Select[Any]:
    """Join a query of deliveries with their webhooks, which hold the scopes."""
    return columns.join(webhooks, webhooks.c.id == deliveries.c.webhook_id)


def _of_webhooks(ids_or_handles: tuple[str, ...]) -> list[ColumnElement[bool]]:
    if not ids_or_handles:
        return []
    by_handle = [
        webhooks.c.id.like(f"wh\\_%{handle[-6:]}", escape="\\")
        for handle in ids_or_handles
        if HANDLE_PATTERN.fullmatch(handle)
    ]
    return [sa.or_(webhooks.c.id.in_(ids_or_handles), *by_handle)]


def _any_of(*fields: tuple[ColumnElement[Any], tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    return [column.in_(values) for column, values in fields if values]


def _between(column: ColumnElement[datetime], criteria: DeliveryFilter) -> list[ColumnElement[bool]]:
    since = [] if criteria.since is None else [column >= criteria.since]
    return since if criteria.until is None else [*since, column < criteria.until]


def _logged_delivery(row: Any) -> LoggedDelivery:
    values = row._asdict()
    effect = [values.pop(name) for name in ("issue_id", "action", "moved")]
    return LoggedDelivery(
        **values
        | {
            "verdict": Verdict(row.verdict),
            "state": DeliveryState(row.state),
            "remarks": tuple(remark for remark in row.remarks.split(",") if remark),
            "effect": DeliveryEffect(*effect) if effect[0] is not None else None,
        }
    )
