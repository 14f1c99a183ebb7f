"""Parse one delivered body, once, at the edge: from hostile bytes to a frozen WebhookEvent.

Source: PagerDuty V3 webhook payloads. Everything is optional there in practice, so everything is
here; only an event id is indispensable, because without one nothing can be told apart.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from calmo_pagerduty.kernel.incident_ref import INCIDENT_ID
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.kernel.json_values import object_of, storable_text, text_of
from calmo_pagerduty.pagerduty.event_types import IncidentStatus, rule_of

MAX_NAME = 200
MAX_TITLE = 1024
MAX_TEXT = 4096

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """A PagerDuty object as events name it. `name` is its summary, which may be missing."""

    id: str
    type: str
    name: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentSnapshot:
    """The incident as it was when the event happened (data.type `incident`)."""

    status: IncidentStatus | None
    title: str | None
    number: int | None
    urgency: str | None
    priority: str | None
    service: Reference | None
    escalation_policy: Reference | None
    assignees: tuple[Reference, ...]
    teams: tuple[Reference, ...]
    created_at: datetime | None
    url: str | None
    resolve_reason: str | None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event. `incident_id` is None for events about a service, a ping, or nothing we can name."""

    event_id: str
    event_type: str
    occurred_at: datetime | None
    incident_id: str | None
    incident_title: str | None
    snapshot: IncidentSnapshot | None
    actor: Reference | None
    data: Json

    @property
    def status(self) -> IncidentStatus | None:
        """The status that this event proves: by its type, else as its data says."""
        if self.snapshot is None:
            return None
        return rule_of(self.event_type).status or self.snapshot.status


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that cannot be an event: kept as a dead letter. `reason` is safe to show."""

    reason: str


def parse_event(body: bytes) -> WebhookEvent | Unreadable:
    """Read one delivery's body. Never raises, whatever the bytes."""
    try:
        payload = json.loads(body)
    except RecursionError:
        return Unreadable("the JSON is nested too deeply")
    except ValueError:
        return Unreadable("the body is not JSON")
    event = object_of(object_of(payload).get("event"))
    event_id = text_of(event.get("id"), MAX_NAME)
    event_type = text_of(event.get("event_type"), MAX_NAME)
    if not event_id or not event_type:
        return Unreadable("the body has no event.id and event.event_type")
    data = object_of(event.get("data"))
    is_incident = event_type.startswith("incident.") or event.get("resource_type") == "incident"
    snapshot = _snapshot(data) if is_incident and _data_type(data) == "incident" else None
    subject = _incident(data) if is_incident else {}
    return WebhookEvent(
        event_id=event_id,
        event_type=event_type,
        occurred_at=instant_of(event.get("occurred_at")),
        incident_id=_incident_id(subject.get("id")),
        incident_title=text_of(subject.get("title") or subject.get("summary"), MAX_TITLE),
        snapshot=snapshot,
        actor=reference_of(event.get("agent")),
        data=data,
    )


def is_legacy(body: bytes) -> bool:
    """Tell whether the body is a V1 or V2 webhook (`messages`), which PagerDuty no longer signs."""
    try:
        return isinstance(object_of(json.loads(body)).get("messages"), list)
    except (ValueError, RecursionError):
        return False


def reference_of(value: object) -> Reference | None:
    """Read a PagerDuty reference {id, type, summary, html_url}; None if it names nothing."""
    source = object_of(value)
    identity = text_of(source.get("id"), MAX_NAME)
    if not identity:
        return None
    name = text_of(source.get("summary") or source.get("name"), MAX_NAME)
    kind = text_of(source.get("type"), MAX_NAME) or "unknown"
    return Reference(identity, kind, name, _link(source.get("html_url")))


def references_of(value: object) -> tuple[Reference, ...]:
    """Read a list of references, leaving out what names nothing."""
    items = value if isinstance(value, list) else []
    return tuple(found for found in map(reference_of, items[:100]) if found)


def _data_type(data: Json) -> str:
    kind = data.get("type")
    if isinstance(kind, str):
        return kind
    return "incident" if "incident" not in data else "unknown"


def _incident(data: Json) -> Json:
    """Find the incident where the data's type puts it: a note's own id is not the incident."""
    kind = _data_type(data)
    if kind == "incident":
        return data
    if kind == "incident_role_assignment":
        assignments = data.get("incident_role_assignments")
        for assignment in assignments if isinstance(assignments, list) else []:
            found = object_of(object_of(assignment).get("incident"))
            if _incident_id(found.get("id")):
                return found
    return object_of(data.get("incident"))


def _snapshot(data: Json) -> IncidentSnapshot:
    status = data.get("status")
    priority = object_of(data.get("priority"))
    number = data.get("number", data.get("incident_number"))
    return IncidentSnapshot(
        status=IncidentStatus(status) if status in tuple(IncidentStatus) else None,
        title=text_of(data.get("title") or data.get("summary"), MAX_TITLE),
        number=number if isinstance(number, int) and 0 <= number < 2**53 else None,
        urgency=text_of(data.get("urgency"), MAX_NAME),
        priority=text_of(priority.get("summary") or priority.get("name"), MAX_NAME),
        service=reference_of(data.get("service")),
        escalation_policy=reference_of(data.get("escalation_policy")),
        assignees=references_of(data.get("assignees")),
        teams=references_of(data.get("teams")),
        created_at=instant_of(data.get("created_at")),
        url=_link(data.get("html_url")),
        resolve_reason=_resolve_reason(data.get("resolve_reason")),
    )


def _resolve_reason(value: object) -> str | None:
    source = object_of(value)
    return text_of(source.get("type") or value, MAX_NAME)


def _incident_id(value: object) -> str | None:
    return value if isinstance(value, str) and INCIDENT_ID.fullmatch(value) else None


def _link(value: object) -> str | None:
    """Keep a link only if it leads to PagerDuty over https: it will be shown to people."""
    if not isinstance(value, str) or len(value) > MAX_TITLE:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return (
        storable_text(value, MAX_TITLE) if parts.scheme == "https" and _is_pagerduty(parts.hostname) else None
    )


def _is_pagerduty(host: str | None) -> bool:
    return host is not None and (host == "pagerduty.com" or host.endswith(".pagerduty.com"))
