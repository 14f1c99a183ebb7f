"""Parse PagerDuty's JSON about incidents, alerts, notes, log entries and changes.

A missing or odd field becomes None or a default; an object without an id or time becomes None.
Source: PagerDuty's REST API, `GET /incidents`, `/incidents/{id}/…`, `/change_events`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from calmo_pagerduty.contexts.analysis.inputs import (
    Alert,
    Change,
    LogLine,
    OpenIncident,
    PastIncident,
    ResponderAction,
    ThisIncident,
)
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.pagerduty.webhook_events import MAX_TITLE, Reference, parse_reference, parse_references

Json = Mapping[str, Any]
T = TypeVar("T")

#: The longest texts of monitoring tools, of people, and the longest key, in characters.
MAX_DETAILS_LENGTH = 2000
MAX_NOTE_LENGTH = 2000
MAX_KEY_LENGTH = 255


def parse_all(read: Callable[[Json], T | None], items: Iterable[object]) -> tuple[T, ...]:
    """Parse a list's objects; leave out what `read` returns None for."""
    results = (read(item) for item in items if isinstance(item, dict))
    return tuple(parsed for parsed in results if parsed is not None)


def parse_id(item: Json) -> str | None:
    """Return the object's id; None if it could not be PagerDuty's."""
    value = item.get("id")
    return value if isinstance(value, str) and INCIDENT_ID.fullmatch(value) else None


def parse_sanitized_text(value: object, longest: int = MAX_TITLE) -> str | None:
    return (sanitize_text(value, longest).strip() or None) if isinstance(value, str) else None


def parse_pagerduty_url(item: Json) -> str | None:
    """Return the object's link, if it points to PagerDuty: only such links may be shown."""
    reference = parse_reference({"id": "any", "html_url": item.get("html_url")})
    return reference.url if reference else None


def parse_number(item: Json) -> int | None:
    value = item.get("incident_number", item.get("number"))
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def parse_name(value: object) -> str | None:
    """Return the name of a referenced object."""
    reference = parse_reference(value)
    return reference.name if reference else None


def parse_this_incident(item: Json) -> ThisIncident | None:
    incident_id, at = parse_id(item), parse_instant(item.get("created_at"))
    if incident_id is None or at is None:
        return None
    assignments = item.get("assignments")
    people = [assignment.get("assignee") for assignment in as_objects(assignments)]
    return ThisIncident(
        id=incident_id,
        title=_title(item, incident_id),
        created_at=at,
        status=_status(item),
        number=parse_number(item),
        service=parse_reference(item.get("service")),
        teams=parse_references(item.get("teams")),
        escalation_policy=parse_reference(item.get("escalation_policy")),
        assignees=parse_references(people),
        urgency=parse_sanitized_text(item.get("urgency"), 40),
        priority=parse_name(item.get("priority")),
        url=parse_pagerduty_url(item),
        responders=len(as_objects(item.get("incidents_responders"))),
    )


def parse_alert(item: Json) -> Alert | None:
    alert_id, at = parse_id(item), parse_instant(item.get("created_at"))
    if alert_id is None or at is None:
        return None
    details = as_object(item.get("body")).get("details")
    return Alert(
        id=alert_id,
        summary=parse_sanitized_text(item.get("summary")) or "",
        created_at=at,
        severity=parse_sanitized_text(item.get("severity"), 40),
        key=parse_sanitized_text(item.get("alert_key"), MAX_KEY_LENGTH),
        status=parse_sanitized_text(item.get("status"), 40),
        details=_details(details),
        url=parse_pagerduty_url(item),
    )


def parse_note(item: Json) -> LogLine | None:
    at = parse_instant(item.get("created_at"))
    if at is None:
        return None
    text = parse_sanitized_text(item.get("content"), MAX_NOTE_LENGTH) or ""
    return LogLine(parse_id(item) or "", "annotate", at, parse_reference(item.get("user")), text)


def parse_log_line(item: Json) -> LogLine | None:
    """Parse a log entry. Its agent is None if it is no person but a service or an integration."""
    entry_id, at = parse_id(item), parse_instant(item.get("created_at"))
    if entry_id is None or at is None:
        return None
    kind = str(item.get("type", "")).removesuffix("_reference").removesuffix("_log_entry")
    agent = parse_reference(item.get("agent"))
    is_person = agent is not None and agent.type.startswith("user")
    text = _written_text(item, kind)
    return LogLine(entry_id, kind[:40], at, agent if is_person else None, text, _people_of_entry(item))


def _people_of_entry(item: Json) -> tuple[Reference, ...]:
    """Return whom a log entry concerns: those assigned, or the person notified."""
    if assignees := parse_references(item.get("assignees")):
        return assignees
    notification = as_object(as_object(item.get("channel")).get("notification"))
    notified = parse_reference(item.get("user") or notification.get("user"))
    return () if notified is None else (notified,)


def parse_open_incident(item: Json) -> OpenIncident | None:
    incident = parse_this_incident(item)
    if incident is None or incident.service is None:
        return None
    return OpenIncident(
        incident.id,
        incident.title,
        incident.service.id,
        incident.created_at,
        incident.status,
        incident.number,
        incident.urgency,
        incident.priority,
        incident.url,
    )


def parse_past_incident(item: Json) -> PastIncident | None:
    """Parse an incident of a list. The agent of its last status change is the person who resolved it.

    `handed_to_team_ids` has all its teams; its service's teams are subtracted later.
    """
    incident = parse_this_incident(item)
    if incident is None or incident.service is None:
        return None
    is_resolved = incident.status == "resolved"
    resolved_at = parse_instant(item.get("resolved_at")) or parse_instant(item.get("last_status_change_at"))
    by = parse_reference(item.get("last_status_change_by")) if is_resolved else None
    is_person = by is not None and by.type.startswith("user")
    responded = (ResponderAction(by, "resolved", resolved_at),) if by and is_person and resolved_at else ()
    return PastIncident(
        id=incident.id,
        title=incident.title,
        service_id=incident.service.id,
        created_at=incident.created_at,
        number=incident.number,
        resolved_at=resolved_at if is_resolved else None,
        urgency=incident.urgency,
        priority=incident.priority,
        key=parse_sanitized_text(item.get("incident_key"), MAX_KEY_LENGTH),
        url=incident.url,
        responded=responded,
        is_auto_resolved=is_resolved and by is not None and not is_person,
        handed_to_team_ids=tuple(team.id for team in incident.teams),
    )


def parse_related_change(item: Json) -> Change | None:
    change = parse_change(item)
    reason = as_object(item.get("correlation_reason")).get("reason")
    if change is None:
        return None
    return Change(
        change.id,
        change.summary,
        change.at,
        change.service_ids,
        change.source,
        change.url,
        parse_sanitized_text(reason, 100),
    )


def parse_change(item: Json) -> Change | None:
    change_id, at = parse_id(item), parse_instant(item.get("timestamp"))
    if change_id is None or at is None:
        return None
    services = tuple(ref.id for ref in parse_references(item.get("services")))
    source = parse_sanitized_text(item.get("source"), 200)
    return Change(
        change_id,
        parse_sanitized_text(item.get("summary")) or "",
        at,
        services,
        source,
        parse_pagerduty_url(item),
    )


def parse_scored_incident(item: Json) -> tuple[str, float] | None:
    """Parse one of PagerDuty's past incidents: its id and score (0–100)."""
    stub, score = item.get("incident"), item.get("score")
    incident_id = parse_id(stub) if isinstance(stub, dict) else None
    if incident_id is None or not isinstance(score, int | float) or isinstance(score, bool):
        return None
    return incident_id, float(score)


def parse_related_incident(item: Json) -> str | None:
    stub = item.get("incident")
    return parse_id(stub) if isinstance(stub, dict) else None


def parse_impacted_service(item: Json) -> Reference | None:
    return parse_reference(item) if item.get("status") == "impacted" else None


def _title(item: Json, incident_id: str) -> str:
    return (
        parse_sanitized_text(item.get("title") or item.get("summary")) or f"PagerDuty incident {incident_id}"
    )


def _status(item: Json) -> str:
    return parse_sanitized_text(item.get("status"), 40) or "unknown"


def _details(value: object) -> str:
    if value is None or value == {}:
        return ""
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return sanitize_text(plain[: 4 * MAX_DETAILS_LENGTH], MAX_DETAILS_LENGTH)


def _written_text(item: Json, kind: str) -> str:
    """Return the text that a person wrote (a note, a resolution); PagerDuty's summary of other entries."""
    channel = item.get("channel")
    text = item.get("note")
    if text is None and kind == "annotate" and isinstance(channel, dict):
        text = channel.get("summary")
    if text is None and kind not in {"annotate", "resolve"}:
        text = item.get("summary")
    return parse_sanitized_text(text, MAX_NOTE_LENGTH) or ""
