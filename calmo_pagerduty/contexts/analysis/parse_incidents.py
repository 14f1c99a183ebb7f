"""PagerDuty's JSON about incidents, read into what surrounds one. Odd and missing fields are tolerated."""

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

#: How much of a monitoring tool's own words, and of people's, is kept.
MAX_DETAILS_LENGTH = 2000
MAX_NOTE_LENGTH = 2000
MAX_KEY_LENGTH = 255


def parse_all(read: Callable[[Json], T | None], items: Iterable[object]) -> tuple[T, ...]:
    """Read a list's objects, leaving out what can't be told apart."""
    found = (read(item) for item in items if isinstance(item, dict))
    return tuple(parsed for parsed in found if parsed is not None)


def parse_id(item: Json) -> str | None:
    """Return the id of a thing; None if it has none that could be PagerDuty's."""
    found = item.get("id")
    return found if isinstance(found, str) and INCIDENT_ID.fullmatch(found) else None


def parse_sanitized_text(value: object, longest: int = MAX_TITLE) -> str | None:
    return (sanitize_text(value, longest).strip() or None) if isinstance(value, str) else None


def parse_pagerduty_url(item: Json) -> str | None:
    """Return the link that people may follow: to PagerDuty itself only."""
    found = parse_reference({"id": "any", "html_url": item.get("html_url")})
    return found.url if found else None


def parse_number(item: Json) -> int | None:
    value = item.get("incident_number", item.get("number"))
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def parse_name(value: object) -> str | None:
    """Return what an object inside another is called."""
    found = parse_reference(value)
    return found.name if found else None


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
    words = parse_sanitized_text(item.get("content"), MAX_NOTE_LENGTH) or ""
    return LogLine(parse_id(item) or "", "annotate", at, parse_reference(item.get("user")), words)


def parse_log_line(item: Json) -> LogLine | None:
    """An agent that is no person (a service, an integration) is left out: automation did it."""
    entry_id, at = parse_id(item), parse_instant(item.get("created_at"))
    if entry_id is None or at is None:
        return None
    kind = str(item.get("type", "")).removesuffix("_reference").removesuffix("_log_entry")
    agent = parse_reference(item.get("agent"))
    is_person = agent is not None and agent.type.startswith("user")
    return LogLine(entry_id, kind[:40], at, agent if is_person else None, _written_text(item, kind))


def parse_open_incident(item: Json) -> OpenIncident | None:
    found = parse_this_incident(item)
    if found is None or found.service is None:
        return None
    return OpenIncident(
        found.id,
        found.title,
        found.service.id,
        found.created_at,
        found.status,
        found.number,
        found.urgency,
        found.priority,
        found.url,
    )


def parse_past_incident(item: Json) -> PastIncident | None:
    """What a list of incidents tells of one: who resolved it too, by its last change of status.

    `handed_to_team_ids` are all its teams here: which of them aren't its service's is told later.
    """
    found = parse_this_incident(item)
    if found is None or found.service is None:
        return None
    is_resolved = found.status == "resolved"
    resolved_at = parse_instant(item.get("resolved_at")) or parse_instant(item.get("last_status_change_at"))
    by = parse_reference(item.get("last_status_change_by")) if is_resolved else None
    is_person = by is not None and by.type.startswith("user")
    responded = (ResponderAction(by, "resolved", resolved_at),) if by and is_person and resolved_at else ()
    return PastIncident(
        id=found.id,
        title=found.title,
        service_id=found.service.id,
        created_at=found.created_at,
        number=found.number,
        resolved_at=resolved_at if is_resolved else None,
        urgency=found.urgency,
        priority=found.priority,
        key=parse_sanitized_text(item.get("incident_key"), MAX_KEY_LENGTH),
        url=found.url,
        responded=responded,
        is_auto_resolved=is_resolved and by is not None and not is_person,
        handed_to_team_ids=tuple(team.id for team in found.teams),
    )


def parse_related_change(item: Json) -> Change | None:
    found = parse_change(item)
    reason = as_object(item.get("correlation_reason")).get("reason")
    if found is None:
        return None
    return Change(
        found.id,
        found.summary,
        found.at,
        found.service_ids,
        found.source,
        found.url,
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
    """An answer of PagerDuty's own search for past incidents: the id, and its score of 100."""
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
    """What somebody wrote (a note, a resolution); of other entries PagerDuty's own words for them."""
    channel = item.get("channel")
    told = item.get("note")
    if told is None and kind == "annotate" and isinstance(channel, dict):
        told = channel.get("summary")
    if told is None and kind not in {"annotate", "resolve"}:
        told = item.get("summary")
    return parse_sanitized_text(told, MAX_NOTE_LENGTH) or ""
