"""Deliveries put into the log without a door, saying only what matters."""

import hashlib
from datetime import datetime
from typing import Any

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event
from tests.support.builders import NOON, an_event, body_of, new_id


def keep(
    database: Database,
    webhook_id: str,
    payload: dict[str, Any] | None = None,
    body: bytes | None = None,
    at: datetime = NOON,
    state: DeliveryState = DeliveryState.PENDING,
    verdict: Verdict = Verdict.ACCEPTED,
    **fields: Any,
) -> int:
    """Keep one delivery and return its number. `body` instead of `payload` is kept as it is."""
    sent = body if body is not None else body_of(payload or an_event("incident.triggered", new_id()))
    event = parse_event(sent)
    known = isinstance(event, WebhookEvent)
    digest = hashlib.sha256(sent).hexdigest()

    def write(transaction: Any) -> int:
        hook = transaction.execute(tables.webhooks.select().where(tables.webhooks.c.id == webhook_id)).one()
        told: dict[str, Any] = {"dedup_key": f"body:{digest}"}
        if known:
            assert isinstance(event, WebhookEvent)
            told = {
                "dedup_key": event.event_id,
                "event_id": event.event_id,
                "event_type": event.event_type,
                "incident_id": event.incident_id,
                "occurred_at": event.occurred_at,
                "facts": facts_json(event, at),
            }
        new = NewDelivery(
            webhook_id=webhook_id,
            connection_id=hook.connection_id,
            received_at=at,
            body=sent,
            body_sha256=digest,
            secret_version=1,
            verdict=verdict,
            state=state,
            **told | fields,
        )
        assert deliveries.insert_delivery(transaction, new) is verdict
        rows = transaction.execute(tables.deliveries.select().order_by(tables.deliveries.c.seq.desc()))
        return int(rows.first().seq)

    return database.write_blocking(write)
