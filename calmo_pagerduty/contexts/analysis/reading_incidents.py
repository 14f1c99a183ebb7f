"""PagerDuty's JSON about incidents, read into what surrounds one. Odd and missing fields are tolerated."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from calmo_pagerduty.contexts.analysis.surroundings import (
    Alert,
    Change,
    LogLine,
    OpenIncident,
    PastIncident,
    Responded,
    ThisIncident,
)
from calmo_pagerduty.kernel.incident_ref import INCIDENT_ID
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.kernel.untrusted_text import clean_text
from calmo_pagerduty.pagerduty.webhook_events import MAX_TITLE, Reference, reference_of, references_of

Json = Mapping[str, Any]
T = TypeVar("T")

#: How much of a monitoring tool's own words, and of people's, is kept.
MAX_DETAILS = 2000
MAX_WORDS = 2000
MAX_KEY = 255


def read_all(read: Callable[[Json], T | None], items: Iterable[object]) -> tuple[T, ...]:
    """Read a list's objects, leaving out what can't be told apart."""
    found = (read(item) for item in items if isinstance(item, dict))
    return tuple(parsed for parsed in found if parsed is not None)


def identity(item: Json) -> str | None:
    """Return the id of a thing; None if it has none that could be PagerDuty's."""
    found = item.get("id")
    return found if isinstance(found, str) and INCIDENT_ID.fullmatch(found) else None


def clean_text_of(value: object, longest: int = MAX_TITLE) -> str | None:
    return (clean_text(value, longest).strip() or None) if isinstance(value, str) else None


def link_of(item: Json) -> str | None:
    """Return the link that people may follow: to PagerDuty itself only."""
    found = reference_of({"id": "any", "html_url": item.get("html_url")})
    return found.url if found else None


def number_of(item: Json) -> int | None:
    value = item.get("incident_number", item.get("number"))
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def named(value: object) -> str | None:
    """Return what an object inside another is called."""
    found = reference_of(value)
    return found.name if found else None


def this_incident(item: Json) -> ThisIncident | None:
    incident_id, at = identity(item), instant_of(item.get("created_at"))
    if incident_id is None or at is None:
        return None
    assignments = item.get("assignments")
    people = [assignment.get("assignee") for assignment in objects_of(assignments)]
    return ThisIncident(
        id=incident_id, title=_title(item, incident_id), created_at=at, status=_status(item),
        number=number_of(item), service=reference_of(item.get("service")),
        teams=references_of(item.get("teams")), escalation_policy=reference_of(item.get("escalation_policy")),
        assignees=references_of(people), urgency=clean_text_of(item.get("urgency"), 40),
        priority=named(item.get("priority")), url=link_of(item),
        responders=len(objects_of(item.get("incidents_responders"))),
    )  # fmt: skip


def alert(item: Json) -> Alert | None:
    alert_id, at = identity(item), instant_of(item.get("created_at"))
    if alert_id is None or at is None:
        return None
    details = object_of(item.get("body")).get("details")
    return Alert(
        id=alert_id, summary=clean_text_of(item.get("summary")) or "", created_at=at,
        severity=clean_text_of(item.get("severity"), 40), key=clean_text_of(item.get("alert_key"), MAX_KEY),
        status=clean_text_of(item.get("status"), 40), details=_details(details), url=link_of(item),
    )  # fmt: skip


def note(item: Json) -> LogLine | None:
    at = instant_of(item.get("created_at"))
    if at is None:
        return None
    words = clean_text_of(item.get("content"), MAX_WORDS) or ""
    return LogLine(identity(item) or "", "annotate", at, reference_of(item.get("user")), words)


def log_line(item: Json) -> LogLine | None:
    """An agent that is no person (a service, an integration) is left out: automation did it."""
    entry_id, at = identity(item), instant_of(item.get("created_at"))
    if entry_id is None or at is None:
        return None
    kind = str(item.get("type", "")).removesuffix("_reference").removesuffix("_log_entry")
    agent = reference_of(item.get("agent"))
    is_person = agent is not None and agent.type.startswith("user")
    return LogLine(entry_id, kind[:40], at, agent if is_person else None, _said(item, kind))


def open_incident(item: Json) -> OpenIncident | None:
    found = this_incident(item)
    if found is None or found.service is None:
        return None
    return OpenIncident(
        found.id, found.title, found.service.id, found.created_at, found.status, found.number,
        found.urgency, found.priority, found.url,
    )  # fmt: skip


def past_incident(item: Json) -> PastIncident | None:
    """What a list of incidents tells of one: who resolved it too, by its last change of status.

    `handed_to_team_ids` are all its teams here: which of them aren't its service's is told later.
    """
    found = this_incident(item)
    if found is None or found.service is None:
        return None
    is_resolved = found.status == "resolved"
    resolved_at = instant_of(item.get("resolved_at")) or instant_of(item.get("last_status_change_at"))
    by = reference_of(item.get("last_status_change_by")) if is_resolved else None
    is_person = by is not None and by.type.startswith("user")
    responded = (Responded(by, "resolved", resolved_at),) if by and is_person and resolved_at else ()
    return PastIncident(
        id=found.id, title=found.title, service_id=found.service.id, created_at=found.created_at,
        number=found.number, resolved_at=resolved_at if is_resolved else None, urgency=found.urgency,
        priority=found.priority, key=clean_text_of(item.get("incident_key"), MAX_KEY), url=found.url,
        responded=responded, is_auto_resolved=is_resolved and by is not None and not is_person,
        handed_to_team_ids=tuple(team.id for team in found.teams),
    )  # fmt: skip


def related_change(item: Json) -> Change | None:
    found = change(item)
    reason = object_of(item.get("correlation_reason")).get("reason")
    if found is None:
        return None
    return Change(
        found.id,
        found.summary,
        found.at,
        found.service_ids,
        found.source,
        found.url,
        clean_text_of(reason, 100),
    )


def change(item: Json) -> Change | None:
    change_id, at = identity(item), instant_of(item.get("timestamp"))
    if change_id is None or at is None:
        return None
    services = tuple(ref.id for ref in references_of(item.get("services")))
    source = clean_text_of(item.get("source"), 200)
    return Change(change_id, clean_text_of(item.get("summary")) or "", at, services, source, link_of(item))


def scored_incident(item: Json) -> tuple[str, float] | None:
    """An answer of PagerDuty's own search for past incidents: the id, and its score of 100."""
    stub, score = item.get("incident"), item.get("score")
    incident_id = identity(stub) if isinstance(stub, dict) else None
    if incident_id is None or not isinstance(score, int | float) or isinstance(score, bool):
        return None
    return incident_id, float(score)


def related_incident(item: Json) -> str | None:
    stub = item.get("incident")
    return identity(stub) if isinstance(stub, dict) else None


def impacted_service(item: Json) -> Reference | None:
    return reference_of(item) if item.get("status") == "impacted" else None


def _title(item: Json, incident_id: str) -> str:
    return clean_text_of(item.get("title") or item.get("summary")) or f"PagerDuty incident {incident_id}"


def _status(item: Json) -> str:
    return clean_text_of(item.get("status"), 40) or "unknown"


def _details(value: object) -> str:
    if value is None or value == {}:
        return ""
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return clean_text(plain[: 4 * MAX_DETAILS], MAX_DETAILS)


def _said(item: Json, kind: str) -> str:
    """What somebody wrote (a note, a resolution); of other entries PagerDuty's own words for them."""
    channel = item.get("channel")
    told = item.get("note")
    if told is None and kind == "annotate" and isinstance(channel, dict):
        told = channel.get("summary")
    if told is None and kind not in {"annotate", "resolve"}:
        told = item.get("summary")
    return clean_text_of(told, MAX_WORDS) or ""
