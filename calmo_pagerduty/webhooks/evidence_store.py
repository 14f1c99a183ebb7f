"""Reads what a webhook has received, and deletes the synthetic incidents of its tests."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import (
    dead_letters,
    deliveries,
    delivery_bodies,
    issue_changes,
    issues,
    refusals,
    timeline,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX, is_synthetic
from calmo_pagerduty.webhooks.validation import DeliveryEvidence, RefusalCount

_NOT_SYNTHETIC = sa.or_(
    deliveries.c.incident_id.is_(None), deliveries.c.incident_id.not_like(f"{SYNTHETIC_PREFIX}%")
)


def get_evidence(
    tx: Transaction, webhook_id: str, versions: Sequence[int], since: datetime
) -> DeliveryEvidence:
    """Return the evidence: deliveries verified by one of the secret `versions`, whenever they came, and
    all others since `since` (UTC).
    """
    latest = (
        sa.select(deliveries.c.received_at, deliveries.c.event_type)
        .where(deliveries.c.webhook_id == webhook_id, _NOT_SYNTHETIC)
        .order_by(deliveries.c.seq.desc())
        .limit(1)
    )
    verified = tx.execute(latest.where(deliveries.c.secret_version.in_(versions))).one_or_none()
    older = tx.execute(
        latest.where(deliveries.c.secret_version.not_in(versions), deliveries.c.received_at > since)
    ).one_or_none()
    kinds = (refusals.c.verdict, refusals.c.reason)
    refused = tx.execute(
        sa.select(*kinds, sa.func.count().label("many"), sa.func.max(refusals.c.at).label("last_at"))
        .where(refusals.c.webhook_id == webhook_id, refusals.c.at > since)
        .group_by(*kinds)
    )
    return DeliveryEvidence(
        verified_at=verified.received_at if verified else None,
        verified_type=verified.event_type if verified else None,
        by_older_at=older.received_at if older else None,
        refused=tuple(RefusalCount(row.verdict, row.reason, row.many, row.last_at) for row in refused),
    )


def get_delivery_state(tx: Transaction, webhook_id: str, event_id: str) -> str | None:
    """Return a delivery's state; None if it isn't in the inbox."""
    query = sa.select(deliveries.c.state)
    state = tx.execute(
        query.where(deliveries.c.webhook_id == webhook_id, deliveries.c.dedup_key == event_id)
    ).scalar()
    return str(state) if state is not None else None


def is_delivery_repeated(tx: Transaction, webhook_id: str, event_id: str) -> bool:
    """Tell whether a delivery came again and was not kept twice."""
    repeated = sa.select(deliveries.c.seq).where(
        deliveries.c.webhook_id == webhook_id,
        deliveries.c.dedup_key == event_id,
        deliveries.c.duplicates > 0,
    )
    return tx.execute(repeated).first() is not None


def get_last_delivery_seq(tx: Transaction, webhook_id: str) -> int:
    """Return `seq` of the webhook's latest delivery, 0 if there is none."""
    query = sa.select(sa.func.max(deliveries.c.seq)).where(deliveries.c.webhook_id == webhook_id)
    return tx.execute(query).scalar() or 0


def get_ping_arrived(tx: Transaction, webhook_id: str, after: int) -> bool:
    """Tell whether a verified ping arrived after `seq` number `after`, even a repeated ping."""
    query = sa.select(deliveries.c.seq).where(
        deliveries.c.webhook_id == webhook_id,
        deliveries.c.seq > after,
        deliveries.c.remarks.like("%ping%"),
    )
    return tx.execute(query.limit(1)).first() is not None


def list_leftover_tests(tx: Transaction, before: datetime) -> tuple[IncidentRef, ...]:
    """Return the synthetic incidents in the database that began before `before` (UTC)."""
    of_tests = [
        sa.select(table.c.connection_id, table.c.incident_id).where(
            table.c.incident_id.like(f"{SYNTHETIC_PREFIX}%"), began < before
        )
        for table, began in ((issues, issues.c.updated_at), (deliveries, deliveries.c.received_at))
    ]
    return tuple(
        IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id)
        for row in tx.execute(sa.union(*of_tests))
    )


def delete_test_incident(tx: Transaction, ref: IncidentRef) -> None:
    """Delete all rows of a synthetic incident. Raises ValueError for any other incident."""
    if not is_synthetic(ref):
        raise ValueError("this is no test incident")
    matches = (deliveries.c.connection_id == ref.connection_id, deliveries.c.incident_id == ref.incident_id)
    seqs = sa.select(deliveries.c.seq).where(*matches)
    for removal in (
        sa.delete(delivery_bodies).where(delivery_bodies.c.seq.in_(seqs)),
        sa.delete(deliveries).where(*matches),
        sa.delete(issue_changes).where(issue_changes.c.issue_id == ref.issue_id),
        sa.delete(timeline).where(timeline.c.issue_id == ref.issue_id),
        sa.delete(issues).where(issues.c.id == ref.issue_id),
        sa.delete(dead_letters).where(dead_letters.c.subject == ref.workflow_id),
    ):
        tx.execute(removal)
