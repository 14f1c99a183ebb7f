"""Makes the event facts, which travel to the incident's workflow, from a parsed event."""

import json
from datetime import datetime

from calmo_pagerduty.pagerduty.event_types import EVENT_TYPES, EventType, IssueAction, rule_of
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent


def is_about_an_incident(event: WebhookEvent) -> bool:
    """Tell whether the event goes to an incident's workflow. Only the delivery log has other events."""
    return event.incident_id is not None and rule_of(event.event_type).action is not IssueAction.NONE


def is_ping(event: WebhookEvent) -> bool:
    """Tell whether PagerDuty only tests the webhook."""
    return event.event_type == EventType.PING


def is_unknown_type(event: WebhookEvent) -> bool:
    """Tell whether PagerDuty has added the event's type since this version."""
    return event.event_type not in EVENT_TYPES


def facts_json(event: WebhookEvent, received_at: datetime) -> str:
    """Return the event facts as JSON, without `seq`, which the inbox assigns. Times are UTC.

    An event without a valid time gets the time of its arrival.
    """
    facts: dict[str, object] = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "occurred_at": (event.occurred_at or received_at).isoformat(),
    }
    snapshot = event.snapshot
    if snapshot is not None:
        facts |= {
            "shows_incident": True,
            "status": event.status,
            "priority": snapshot.priority,
            "service_id": snapshot.service.id if snapshot.service else None,
            "team_ids": [team.id for team in snapshot.teams],
            "number": snapshot.number,
        }
    return json.dumps(facts, separators=(",", ":"))
