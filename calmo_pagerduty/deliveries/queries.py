"""How readers see deliveries and refusals: lists, one whole. Each call takes a Visibility."""

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


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries: values within one field are alternatives, fields together all hold."""

    #: By their ids or handles.
    webhooks: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    event_types: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    #: ping, unknown_type, best_effort, stale.
    remarks: tuple[str, ...] = ()
    #: Received from then on, and before then.
    since: datetime | None = None
    until: datetime | None = None
    seqs: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == DeliveryFilter()


@dataclass(frozen=True, slots=True)
class DeliveryEffect:
    """What a delivery did: the timeline's entry of its event. `moved`: it changed how the issue stands."""

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
        """From receipt until its event was seen on the timeline; None if it wasn't."""
        if self.applied_at is None:
            return None
        return round((self.applied_at - self.received_at).total_seconds() * 1000, 1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery that was not authenticated: what is known of it without its body."""

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
    wanted: DeliveryFilter,
    limit: int,
    before: int | None = None,
) -> tuple[LoggedDelivery, ...]:
    """Return deliveries, newest first, from below number `before`."""
    query = (
        _LOGGED.where(*filter_conditions(visibility, wanted)).order_by(deliveries.c.seq.desc()).limit(limit)
    )
    if before is not None:
        query = query.where(deliveries.c.seq < before)
    return tuple(_logged_delivery(row) for row in tx.execute(query))


def get_delivery(tx: Transaction, visibility: Visibility, seq: int) -> LoggedDelivery | None:
    """Return one delivery; None if there is none that this caller may see."""
    found = list_deliveries(tx, visibility, DeliveryFilter(seqs=(seq,)), 1)
    return found[0] if found else None


def get_body(tx: Transaction, delivery: LoggedDelivery) -> bytes | None:
    """Return the body as it came; None if it was deleted after its time."""
    query = sa.select(delivery_bodies.c.body).where(delivery_bodies.c.seq == delivery.seq)
    body: bytes | None = tx.execute(query).scalar()
    return body


def list_refusals(
    tx: Transaction,
    visibility: Visibility,
    wanted: DeliveryFilter,
    limit: int,
    before: int | None = None,
) -> tuple[Refusal, ...]:
    """Return refusals, newest first. Of the filter, webhooks, verdicts and times count."""
    query = sa.select(refusals).join(webhooks, webhooks.c.id == refusals.c.webhook_id)
    query = query.where(
        visible_to(webhooks.c.scope, visibility),
        *_of_webhooks(wanted.webhooks),
        *_any_of((refusals.c.verdict, wanted.verdicts)),
        *_between(refusals.c.at, wanted),
    )
    if before is not None:
        query = query.where(refusals.c.id < before)
    rows = tx.execute(query.order_by(refusals.c.id.desc()).limit(limit))
    return tuple(Refusal(**row._asdict() | {"verdict": Verdict(row.verdict)}) for row in rows)


def filter_conditions(visibility: Visibility, wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    """Return what a query of deliveries joined with their webhooks must hold."""
    padded = "," + deliveries.c.remarks + ","
    remarks = [padded.contains(f",{remark},", autoescape=True) for remark in wanted.remarks]
    return [
        visible_to(webhooks.c.scope, visibility),
        *_of_webhooks(wanted.webhooks),
        *_any_of(
            (deliveries.c.verdict, wanted.verdicts),
            (deliveries.c.state, wanted.states),
            (deliveries.c.event_type, wanted.event_types),
            (deliveries.c.incident_id, wanted.incidents),
            (deliveries.c.seq, wanted.seqs),
        ),
        *([sa.or_(*remarks)] if remarks else []),
        *_between(deliveries.c.received_at, wanted),
    ]


def join_webhooks(columns: Select[Any]) -> Select[Any]:
    """Join a query of deliveries with their webhooks, which say whose they are."""
    return columns.join(webhooks, webhooks.c.id == deliveries.c.webhook_id)


def _of_webhooks(known_as: tuple[str, ...]) -> list[ColumnElement[bool]]:
    if not known_as:
        return []
    by_handle = [
        webhooks.c.id.like(f"wh\\_%{handle[-6:]}", escape="\\")
        for handle in known_as
        if HANDLE_PATTERN.fullmatch(handle)
    ]
    return [sa.or_(webhooks.c.id.in_(known_as), *by_handle)]


def _any_of(*fields: tuple[ColumnElement[Any], tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    return [column.in_(values) for column, values in fields if values]


def _between(column: ColumnElement[datetime], wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    since = [] if wanted.since is None else [column >= wanted.since]
    return since if wanted.until is None else [*since, column < wanted.until]


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
