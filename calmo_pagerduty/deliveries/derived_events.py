"""Events derived here, in the form of a webhook's. They go the way of every event, through the inbox.

Reconciliation derives what PagerDuty's webhooks didn't bring; an action on an incident derives its result.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.pagerduty.webhook_events import Json, Reference, WebhookEvent, parse_event


def reconciled_webhook_id(connection_id: str) -> str:
    """Return the pseudo webhook id under which derived events are stored. It is not a real endpoint."""
    return f"reconciled_{connection_id}"


@dataclass(frozen=True, slots=True)
class DerivedEvent:
    """An event to add. `body` is what a webhook would have brought."""

    event_id: str
    event: WebhookEvent
    body: bytes


def derive_event(
    event_id: str,
    event_type: str,
    at: datetime | None,
    agent: Reference | None,
    data: Json,
    client: str = "reconciliation",
) -> DerivedEvent:
    """Return an event in the form of a webhook's."""
    who = None
    if agent is not None:
        who = {"id": agent.id, "type": agent.type, "summary": agent.name, "html_url": agent.url}
    event = {
        "id": event_id,
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": at.isoformat() if at else None,
        "agent": who,
        "client": {"name": client},
        "data": data,
    }
    body = json.dumps({"event": event}, separators=(",", ":")).encode()
    read = parse_event(body)
    assert isinstance(read, WebhookEvent)
    return DerivedEvent(event_id, read, body)
