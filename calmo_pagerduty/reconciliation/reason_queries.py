"""Find the connections to reconcile, and reasons to reconcile a connection before its schedule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.db.tables import (
    connections,
    dead_letters,
    deliveries,
    reconciliations,
    refusals,
    webhooks,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState

#: An older watermark shows that no reconciliation has succeeded for a while.
MAX_WATERMARK_AGE = timedelta(minutes=10)
#: How many deliveries answered 503 (PagerDuty retries them) are a reason to reconcile.
MIN_RETRIED_DELIVERIES = 3
#: How many of the latest deliveries in the inbox are searched.
RECENT_DELIVERIES = 5000


@dataclass(frozen=True, slots=True)
class ReconciledConnection:
    """A connection with a token and a live webhook. `reconciled_until` is its watermark, in UTC."""

    connection_id: str
    scope: str
    reconciled_until: datetime | None
    created_at: datetime

    @property
    def as_of(self) -> datetime:
        """Return until when the connection is known to be right; before its first run, since it exists."""
        return self.reconciled_until or self.created_at


@dataclass(frozen=True, slots=True)
class RunTotals:
    """The sums of several runs' counts, and the id of the last run."""

    latest: int
    counts: Mapping[str, int]


def list_reconciled_connections(tx: Transaction) -> tuple[ReconciledConnection, ...]:
    """Return the connections that can be reconciled."""
    live = sa.exists().where(webhooks.c.connection_id == connections.c.id, webhooks.c.deleted_at.is_(None))
    query = sa.select(
        connections.c.id, connections.c.scope, connections.c.reconciled_until, connections.c.created_at
    ).where(connections.c.removed_at.is_(None), connections.c.token_kind.is_not(None), live)
    return tuple(ReconciledConnection(*row) for row in tx.execute(query.order_by(connections.c.id)))


def list_connection_ids(tx: Transaction) -> frozenset[str]:
    """Return the ids of all connections that there ever were in this database."""
    return frozenset(tx.execute(sa.select(connections.c.id)).scalars())


def get_reconcile_reason(tx: Transaction, connection_id: str) -> str | None:
    """Return why to reconcile now, from events since the last run began; None if there is no reason."""
    begun_at = tx.execute(
        sa.select(sa.func.max(reconciliations.c.begun_at)).where(
            reconciliations.c.connection_id == connection_id
        )
    ).scalar()
    if begun_at is None:
        return None
    latest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.seq), 0)).scalar_subquery()
    recent = sa.select(deliveries.c.seq).where(
        deliveries.c.seq > latest - RECENT_DELIVERIES,
        deliveries.c.connection_id == connection_id,
        deliveries.c.received_at > begun_at,
    )
    webhook_ids = sa.select(webhooks.c.id).where(webhooks.c.connection_id == connection_id)
    retried = sa.select(refusals.c.id).where(
        refusals.c.webhook_id.in_(webhook_ids), refusals.c.at > begun_at, refusals.c.status == 503
    )
    letters = sa.select(dead_letters.c.id).where(
        dead_letters.c.subject.endswith(f":{connection_id}", autoescape=True), dead_letters.c.at > begun_at
    )
    reasons: tuple[tuple[sa.Select[tuple[int]], int, str], ...] = (
        (letters, 1, "an event was set aside"),
        (recent.where(deliveries.c.state == DeliveryState.DEAD_LETTER), 1, "a delivery was set aside"),
        (
            recent.where(deliveries.c.remarks.contains("best_effort")),
            1,
            "a delivery was larger than PagerDuty guarantees",
        ),
        (recent.where(deliveries.c.remarks.contains("stale")), 1, "an event came days late"),
        (retried, MIN_RETRIED_DELIVERIES, "PagerDuty was asked to retry deliveries"),
    )
    for query, at_least, reason in reasons:
        if len(tx.execute(query.limit(at_least)).all()) >= at_least:
            return reason
    return None


def get_run_totals_since(tx: Transaction, run_id: int) -> RunTotals:
    """Return the sums of the finished runs after `run_id`; `latest` is the last run's id."""
    query = sa.select(reconciliations.c.id, reconciliations.c.report).where(
        reconciliations.c.id > run_id, reconciliations.c.finished_at.is_not(None)
    )
    counts: dict[str, int] = {}
    latest = run_id
    for row in tx.execute(query.order_by(reconciliations.c.id)):
        latest = row.id
        for name in ("differed", "healed", "opened", "added", "failed"):
            counts[name] = counts.get(name, 0) + int((row.report or {}).get(name, 0))
    return RunTotals(latest, counts)


def get_latest_run_id(tx: Transaction) -> int:
    """Return the id of the newest reconciliation of any connection; 0 if there is none."""
    return tx.execute(sa.select(sa.func.max(reconciliations.c.id))).scalar() or 0
