"""Derived events, in the form of a webhook's body. They go through the inbox like every event.

Reconciliation derives the events that no webhook delivered; an action on an incident derives its result.
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
    """An event to add. `body` is the body that a webhook would have delivered."""

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
    """Return an event in the form of a webhook's. `at` is UTC; `client` names the event's origin."""
    actor = None
    if agent is not None:
        actor = {"id": agent.id, "type": agent.type, "summary": agent.name, "html_url": agent.url}
    event = {
        "id": event_id,
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": at.isoformat() if at else None,
        "agent": actor,
        "client": {"name": client},
        "data": data,
    }
    body = json.dumps({"event": event}, separators=(",", ":")).encode()
    parsed = parse_event(body)
    assert isinstance(parsed, WebhookEvent)
    return DerivedEvent(event_id, parsed, body)
