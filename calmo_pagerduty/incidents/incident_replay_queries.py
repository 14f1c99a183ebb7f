"""Reads the stored deliveries of an incident for its replay."""

from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, timeline, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.queries import join_webhooks
from calmo_pagerduty.incidents.actions import OPERATION_PREFIX
from calmo_pagerduty.incidents.incident_replay import StoredEvent
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.response_targets import TARGET_PREFIX
from calmo_pagerduty.kernel.scopes import Visibility

#: A replay shows no more deliveries than these, the oldest ones.
MAX_REPLAYED = 2000


def list_stored_events(
    tx: Transaction, visibility: Visibility, issue: Issue
) -> tuple[tuple[StoredEvent, ...], tuple[str, ...]]:
    """Return the incident's deliveries, and the timeline's events that no stored delivery brought.

    The second are of deliveries that were deleted when they were old, or that are beyond `MAX_REPLAYED`.
    """
    saved = {
        row.event_id: row
        for row in tx.execute(
            sa.select(timeline.c.id, timeline.c.event_id, timeline.c.moved)
            .where(
                timeline.c.issue_id == issue.ref.issue_id,
                # Operations and response targets have entries of their own, which no delivery brings.
                ~timeline.c.event_id.like(f"{OPERATION_PREFIX}%"),
                ~timeline.c.event_id.like(f"{TARGET_PREFIX}%"),
            )
            .order_by(timeline.c.id)
        )
    }
    rows = tx.execute(
        join_webhooks(sa.select(deliveries))
        .where(
            deliveries.c.incident_id == issue.ref.incident_id,
            deliveries.c.connection_id == issue.ref.connection_id,
            visible_to(webhooks.c.scope, visibility),
        )
        .order_by(deliveries.c.seq)
        .limit(MAX_REPLAYED)
    ).all()
    stored = {row.event_id for row in rows}
    missing = tuple(event_id for event_id in saved if event_id not in stored)
    return tuple(_stored_event(row, saved.get(row.event_id)) for row in rows), missing


def _stored_event(row: Any, entry: Any) -> StoredEvent:
    return StoredEvent(
        seq=row.seq,
        event_id=row.event_id,
        event_type=row.event_type,
        received_at=row.received_at,
        forwarded_at=row.forwarded_at,
        state=DeliveryState(row.state),
        reason=row.reason,
        facts=_facts(row),
        place=entry.id if entry else None,
        moved=entry.moved if entry else None,
    )


def _facts(row: Any) -> EventFacts | None:
    try:
        return EventFacts.from_delivery_row(row) if row.facts else None
    except ValueError:
        return None
