"""Events as PagerDuty would send them, saying only what matters."""

import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECRET = b"a-signing-secret-for-tests"

_numbers = itertools.count(1)

_STATUS = {
    EventType.ACKNOWLEDGED: "acknowledged",
    EventType.RESOLVED: "resolved",
}


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def new_id(prefix: str = "Q") -> str:
    """An id that no other test has."""
    return f"{prefix}{next(_numbers):013d}"


def a_reference(kind: str, identity: str, name: str) -> dict[str, Any]:
    return {
        "id": identity,
        "type": f"{kind}_reference",
        "summary": name,
        "self": f"https://api.pagerduty.com/{kind}s/{identity}",
        "html_url": f"https://shop.pagerduty.com/{kind}s/{identity}",
    }


def incident_data(incident_id: str, status: str = "triggered", **fields: Any) -> dict[str, Any]:
    """The data of an event that shows the whole incident."""
    return {
        "id": incident_id,
        "type": "incident",
        "html_url": f"https://shop.pagerduty.com/incidents/{incident_id}",
        "number": 42,
        "status": status,
        "created_at": NOON.isoformat(),
        "title": "Basket service answers slowly",
        "service": a_reference("service", "PSERVICE1", "Basket"),
        "assignees": [] if status == "resolved" else [a_reference("user", "PUSER1", "Robin Reyes")],
        "escalation_policy": a_reference("escalation_policy", "PPOLICY1", "Shop"),
        "teams": [a_reference("team", "PTEAM1", "Web")],
        "priority": None,
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
        **fields,
    }


def an_event(
    event_type: str,
    incident_id: str,
    at: datetime | None = None,
    event_id: str | None = None,
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A whole payload. Without `data` it shows the incident, with the status that the type implies."""
    status = fields.pop("status", _STATUS.get(EventType(event_type), "triggered"))
    return {
        "event": {
            "id": event_id or new_id("01EVENT"),
            "event_type": str(event_type),
            "resource_type": event_type.partition(".")[0],
            "occurred_at": (at or datetime.now(UTC)).isoformat(timespec="milliseconds"),
            "agent": a_reference("user", "PUSER1", "Robin Reyes"),
            "client": None,
            "data": data or incident_data(incident_id, status, **fields),
        }
    }


def a_note(incident_id: str, content: str = "Rolled back", **fields: Any) -> dict[str, Any]:
    """An event that does not show the incident: its data is the note's."""
    data = {
        "id": new_id("PNOTE"),
        "type": "incident_note",
        "content": content,
        "trimmed": False,
        "incident": a_reference("incident", incident_id, "Basket service answers slowly"),
    }
    return an_event(EventType.ANNOTATED, incident_id, data=data, **fields)


def body_of(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


def signature_of(body: bytes, secret: bytes = SECRET) -> str:
    """Computed independently of the code under test."""
    return "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def headers_for(body: bytes, secret: bytes = SECRET, **more: str) -> dict[str, str]:
    return {
        "X-PagerDuty-Signature": signature_of(body, secret),
        "X-Webhook-Id": new_id("delivery-"),
        "Content-Type": "application/json",
        **more,
    }


def facts(
    event_type: str = EventType.TRIGGERED,
    at: datetime = NOON,
    seq: int | None = None,
    event_id: str | None = None,
    status: IncidentStatus | None = IncidentStatus.TRIGGERED,
    shows_incident: bool = True,
    **fields: Any,
) -> EventFacts:
    """Thin facts, as a workflow gets them."""
    number = seq if seq is not None else next(_numbers)
    return EventFacts(
        event_id=event_id or new_id("01EVENT"),
        event_type=event_type,
        occurred_at=at,
        seq=number,
        shows_incident=shows_incident,
        status=status if shows_incident else None,
        **fields,
    )
