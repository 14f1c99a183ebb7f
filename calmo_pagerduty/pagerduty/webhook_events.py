"""Parses the body of a delivery, from untrusted bytes to a frozen WebhookEvent.

Every field may be missing in practice. Only the event's id and type are required, because events are
told apart by id. Source: PagerDuty's documentation, "V3 webhook payloads".
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_text, storable_text
from calmo_pagerduty.pagerduty.event_types import IncidentStatus, rule_of

MAX_NAME = 200
MAX_TITLE = 1024
MAX_TEXT = 4096
MAX_REFERENCES = 100

_STATUSES = tuple(IncidentStatus)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a PagerDuty object. `name` is its summary, which may be missing."""

    id: str
    type: str
    name: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentSnapshot:
    """The incident at the time of the event (data.type `incident`). Times are UTC."""

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


@dataclass(frozen=True)
class WebhookEvent:
    """One event. `occurred_at` is UTC. `incident_id` is None if the event is about no incident.

    Whoever stores a delivery needs little of it, so the rest is read from `data` when it is asked for.
    """

    event_id: str
    event_type: str
    occurred_at: datetime | None
    incident_id: str | None
    incident_title: str | None
    #: Whether `data` is the incident itself.
    shows_incident: bool
    agent: Json
    data: Json

    @cached_property
    def snapshot(self) -> IncidentSnapshot | None:
        """The incident at the time of the event, if it is shown."""
        return _snapshot(self.data) if self.shows_incident else None

    @cached_property
    def actor(self) -> Reference | None:
        """Who or what caused the event."""
        return parse_reference(self.agent)

    @property
    def status(self) -> IncidentStatus | None:
        """The status that this event proves: by its type, else by its data."""
        if not self.shows_incident:
            return None
        return rule_of(self.event_type).status or parse_status(self.data)


@dataclass(frozen=True, slots=True)
class UnreadableBody:
    """A body that is no event. It becomes a dead letter. `reason` is safe to show."""

    reason: str


def parse_event(body: bytes) -> WebhookEvent | UnreadableBody:
    """Parse a delivery's body. Never raises, whatever the bytes."""
    try:
        payload = json.loads(body)
    except RecursionError:
        return UnreadableBody("the JSON is nested too deeply")
    except ValueError:
        return UnreadableBody("the body is not JSON")
    event = as_object(as_object(payload).get("event"))
    event_id = as_text(event.get("id"), MAX_NAME)
    event_type = as_text(event.get("event_type"), MAX_NAME)
    if not event_id or not event_type:
        return UnreadableBody("the body has no event.id and event.event_type")
    data = as_object(event.get("data"))
    is_incident = event_type.startswith("incident.") or event.get("resource_type") == "incident"
    subject = _incident(data) if is_incident else {}
    return WebhookEvent(
        event_id=event_id,
        event_type=event_type,
        occurred_at=parse_instant(event.get("occurred_at")),
        incident_id=_incident_id(subject.get("id")),
        incident_title=as_text(subject.get("title") or subject.get("summary"), MAX_TITLE),
        shows_incident=is_incident and _data_type(data) == "incident",
        agent=as_object(event.get("agent")),
        data=data,
    )


def is_legacy(body: bytes) -> bool:
    """Tell whether the body is a V1 or V2 webhook (`messages`), which PagerDuty no longer signs."""
    try:
        return isinstance(as_object(json.loads(body)).get("messages"), list)
    except (ValueError, RecursionError):
        return False


def parse_reference(value: object) -> Reference | None:
    """Parse a reference {id, type, summary, html_url}; None if it has no id."""
    source = as_object(value)
    identity = parse_reference_id(value)
    if not identity:
        return None
    name = as_text(source.get("summary") or source.get("name"), MAX_NAME)
    kind = as_text(source.get("type"), MAX_NAME) or "unknown"
    return Reference(identity, kind, name, _pagerduty_url(source.get("html_url")))


def parse_reference_id(value: object) -> str | None:
    """Parse a reference's id alone; None if it has none."""
    return as_text(as_object(value).get("id"), MAX_NAME)


def parse_status(incident: Json) -> IncidentStatus | None:
    """Parse the status of an incident; None if we don't know it."""
    status = incident.get("status")
    return IncidentStatus(status) if status in _STATUSES else None


def parse_priority(incident: Json) -> str | None:
    """Parse the name of an incident's priority."""
    priority = as_object(incident.get("priority"))
    return as_text(priority.get("summary") or priority.get("name"), MAX_NAME)


def parse_number(incident: Json) -> int | None:
    """Parse an incident's number in its account."""
    number = incident.get("number", incident.get("incident_number"))
    return number if isinstance(number, int) and 0 <= number < 2**53 else None


def parse_references(value: object) -> tuple[Reference, ...]:
    """Parse the first 100 references of a list, without those that have no id."""
    return tuple(reference for reference in map(parse_reference, reference_items(value)) if reference)


def reference_items(value: object) -> list[object]:
    """Return the first 100 items of a list of references."""
    return value[:MAX_REFERENCES] if isinstance(value, list) else []


def _data_type(data: Json) -> str:
    kind = data.get("type")
    if isinstance(kind, str):
        return kind
    return "incident" if "incident" not in data else "unknown"


def _incident(data: Json) -> Json:
    """Return the incident in the event's data. Its place depends on the data's type."""
    kind = _data_type(data)
    if kind == "incident":
        return data
    if kind == "incident_role_assignment":
        assignments = data.get("incident_role_assignments")
        for assignment in assignments if isinstance(assignments, list) else []:
            incident = as_object(as_object(assignment).get("incident"))
            if _incident_id(incident.get("id")):
                return incident
    return as_object(data.get("incident"))


def _snapshot(data: Json) -> IncidentSnapshot:
    return IncidentSnapshot(
        status=parse_status(data),
        title=as_text(data.get("title") or data.get("summary"), MAX_TITLE),
        number=parse_number(data),
        urgency=as_text(data.get("urgency"), MAX_NAME),
        priority=parse_priority(data),
        service=parse_reference(data.get("service")),
        escalation_policy=parse_reference(data.get("escalation_policy")),
        assignees=parse_references(data.get("assignees")),
        teams=parse_references(data.get("teams")),
        created_at=parse_instant(data.get("created_at")),
        url=_pagerduty_url(data.get("html_url")),
        resolve_reason=_resolve_reason(data.get("resolve_reason")),
    )


def _resolve_reason(value: object) -> str | None:
    source = as_object(value)
    return as_text(source.get("type") or value, MAX_NAME)


def _incident_id(value: object) -> str | None:
    return value if isinstance(value, str) and INCIDENT_ID.fullmatch(value) else None


def _pagerduty_url(value: object) -> str | None:
    """Return the link if it leads to PagerDuty over https, else None: people will click on it."""
    if not isinstance(value, str) or len(value) > MAX_TITLE or not _leads_to_pagerduty(value):
        return None
    return storable_text(value, MAX_TITLE)


# The same few services, teams and people are referred to again and again.
@lru_cache(maxsize=1024)
def _leads_to_pagerduty(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "pagerduty.com" or host.endswith(".pagerduty.com"))
