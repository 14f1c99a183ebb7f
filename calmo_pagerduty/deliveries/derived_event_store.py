"""Adds derived events to the inbox, each event once."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import connections, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import store as delivery_store
from calmo_pagerduty.deliveries.derived_events import DerivedEvent, reconciled_webhook_id
from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery

REMARK = "reconciled"


def enqueue_derived_events(
    tx: Transaction,
    connection_id: str,
    incident_id: str,
    events: Sequence[DerivedEvent],
    now: datetime,
) -> int:
    """Add derived events to the inbox, as if a webhook had delivered them. Returns how many are new."""
    webhook_id = _get_or_insert_pseudo_webhook(tx, connection_id, now)
    verdicts = [
        delivery_store.insert_delivery(tx, _delivery(connection_id, webhook_id, incident_id, event, now))
        for event in events
    ]
    return verdicts.count(Verdict.ACCEPTED)


def _get_or_insert_pseudo_webhook(tx: Transaction, connection_id: str, now: datetime) -> str:
    """Return the id of the connection's pseudo webhook: each delivery belongs to a webhook.

    Its row is marked deleted from the start, so nobody can deliver to it.
    """
    webhook_id = reconciled_webhook_id(connection_id)
    existing = tx.execute(sa.select(webhooks.c.id).where(webhooks.c.id == webhook_id)).scalar()
    if existing is None:
        query = sa.select(connections.c.scope).where(connections.c.id == connection_id)
        scope = tx.execute(query).scalar_one()
        row = {
            "id": webhook_id,
            "connection_id": connection_id,
            "scope": scope,
            "created_at": now,
            "deleted_at": now,
            "name": "Reconciliation",
        }
        tx.execute(insert_or_ignore(tx, webhooks), row)
    return webhook_id


def _delivery(
    connection_id: str, webhook_id: str, incident_id: str, derived: DerivedEvent, now: datetime
) -> NewDelivery:
    return NewDelivery(
        webhook_id=webhook_id,
        connection_id=connection_id,
        dedup_key=derived.event_id,
        received_at=now,
        body=derived.body,
        body_sha256=hashlib.sha256(derived.body).hexdigest(),
        secret_version=0,
        verdict=Verdict.ACCEPTED,
        state=DeliveryState.PENDING,
        remarks=REMARK,
        event_id=derived.event_id,
        event_type=derived.event.event_type,
        incident_id=incident_id,
        occurred_at=derived.event.occurred_at,
        facts=facts_json(derived.event, now),
    )
