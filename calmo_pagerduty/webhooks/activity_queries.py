"""Reads what webhooks received lately, for people. Each call takes a Visibility."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.webhooks import store
from calmo_pagerduty.webhooks.lifecycle import webhook_handle


@dataclass(frozen=True, slots=True)
class WebhookActivity:
    """When the last verified delivery came (UTC), and how many strikes the last day brought."""

    last_delivery_at: datetime | None
    strikes: int


def get_activity(tx: Transaction, visibility: Visibility, now: datetime) -> Mapping[str, WebhookActivity]:
    """Return the activity of each webhook that the caller may see, by its handle."""
    # A scalar subquery, so that each webhook costs one look at its index instead of all of its deliveries.
    last = (
        sa.select(deliveries.c.received_at)
        .where(deliveries.c.webhook_id == webhooks.c.id)
        .order_by(deliveries.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(webhooks.c.id, last.label("last_at")).where(
        webhooks.c.deleted_at.is_(None), visible_to(webhooks.c.scope, visibility)
    )
    return {
        webhook_handle(row.id): WebhookActivity(row.last_at, store.count_strikes(tx, row.id, now))
        for row in tx.execute(query).all()
    }
