"""Compare an incident at PagerDuty with our issue, and derive the events that repair the difference.

The comparison is about state, not history: the newest state wins, as with webhook events. Derived events have
the form of webhook events, so they take the same path.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calmo_pagerduty.deliveries.derived_events import DerivedEvent, derive_event
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.event_types import RECONCILED, EventType, IncidentStatus, rule_of
from calmo_pagerduty.pagerduty.log_entries import EVENT_OF_KIND, LogEntry, TimelineEvent, missing_entries
from calmo_pagerduty.pagerduty.webhook_events import IncidentSnapshot, Json, Reference

#: PagerDuty's REST API gives times in whole seconds: two states in the same second have no order.
_A_SECOND = timedelta(seconds=1)

#: Fields that REST and webhooks give under the same name.
_SHARED_FIELDS = (
    "id", "status", "title", "urgency", "service", "escalation_policy", "teams", "priority", "created_at",
    "html_url", "resolve_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RestIncident:
    """An incident from the REST API; `data` has the form of a webhook event's data. Times are UTC."""

    incident_id: str
    data: Json
    snapshot: IncidentSnapshot
    status: IncidentStatus
    updated_at: datetime | None
    resolved_at: datetime | None
    reopened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`fields` names the drift; `derived_events` repair it, oldest first. `is_new`: we have no issue yet."""

    fields: tuple[str, ...] = ()
    is_new: bool = False
    derived_events: tuple[DerivedEvent, ...] = ()


def parse_rest_incident(incident: Json) -> RestIncident | None:
    """Parse an incident of the REST API; returns None for a reference and for invalid data.

    Source: PagerDuty's REST API, `GET /incidents/{id}`.
    """
    incident_id, status = incident.get("id"), incident.get("status")
    if not isinstance(incident_id, str) or not INCIDENT_ID.fullmatch(incident_id):
        return None
    if status not in tuple(IncidentStatus):
        return None
    assignments = incident.get("assignments")
    data: Json = {name: incident.get(name) for name in _SHARED_FIELDS} | {
        "type": "incident",
        "number": incident.get("incident_number", incident.get("number")),
        "assignees": [
            assignment["assignee"]
            for assignment in (assignments if isinstance(assignments, list) else [])
            if isinstance(assignment, dict) and isinstance(assignment.get("assignee"), dict)
        ],
    }
    parsed = derive_event("read", RECONCILED, None, None, data)
    assert parsed.event.snapshot is not None
    return RestIncident(
        incident_id=incident_id,
        data=data,
        snapshot=parsed.event.snapshot,
        status=IncidentStatus(status),
        updated_at=parse_instant(incident.get("updated_at"))
        or parse_instant(incident.get("last_status_change_at")),
        resolved_at=parse_instant(incident.get("resolved_at")),
        reopened_at=parse_instant(incident.get("reopened_at")),
    )


def compare_incident(
    rest_incident: RestIncident,
    entries: Sequence[LogEntry],
    issue: Issue | None,
    timeline_events: Sequence[TimelineEvent],
) -> Difference:
    """Return the difference. Once its events are on the timeline, the same comparison returns none."""
    missing = missing_entries(entries, timeline_events)
    fields = drifted_fields(rest_incident, issue)
    carrier = _carrying_entry(rest_incident, missing, issue) if fields else None
    derived = [
        _event_from_entry(entry, rest_incident, carries=entry is carrier, issue=issue) for entry in missing
    ]
    if fields and carrier is None:
        derived.append(_event_from_snapshot(rest_incident, issue))
    return Difference(fields, issue is None, tuple(derived))


def drifted_fields(rest_incident: RestIncident, issue: Issue | None) -> tuple[str, ...]:
    """Return the names of the fields that differ; none if our issue is newer."""
    if issue is None or issue.as_of is None:
        return ("everything",)
    if rest_incident.updated_at is not None and issue.as_of >= rest_incident.updated_at + _A_SECOND:
        return ()
    return tuple(name for name, differs in _DRIFT_CHECKS.items() if differs(rest_incident, issue))


def may_be_outdated(rest_incident: RestIncident, issue: Issue | None) -> bool:
    """Return True if the issue may be newer than `rest_incident`, whose time has whole seconds."""
    if issue is None or issue.as_of is None:
        return False
    return rest_incident.updated_at is None or issue.as_of >= rest_incident.updated_at


def _ids(references: Sequence[Reference]) -> frozenset[str]:
    return frozenset(reference.id for reference in references)


def _id(reference: Reference | None) -> str | None:
    return reference.id if reference else None


#: The compared fields. PagerDuty removes the assignees of a resolved incident; an issue keeps them.
_DRIFT_CHECKS: Mapping[str, Callable[[RestIncident, Issue], bool]] = {
    "status": lambda there, here: there.status is not here.status,
    "priority": lambda there, here: there.snapshot.priority != here.priority,
    "urgency": lambda there, here: there.snapshot.urgency not in (None, here.urgency),
    "title": lambda there, here: there.snapshot.title not in (None, here.title),
    "service": lambda there, here: _id(there.snapshot.service) not in (None, _id(here.service)),
    "escalation_policy": lambda there, here: (
        _id(there.snapshot.escalation_policy) not in (None, _id(here.escalation_policy))
    ),
    "teams": lambda there, here: _ids(there.snapshot.teams) != _ids(here.teams),
    "assignees": lambda there, here: (
        there.status is not IncidentStatus.RESOLVED and _ids(there.snapshot.assignees) != _ids(here.assignees)
    ),
}


def _carrying_entry(
    rest_incident: RestIncident, missing: Sequence[LogEntry], issue: Issue | None
) -> LogEntry | None:
    """Return the entry whose event may carry the current state: the last one that fits it, if our issue has
    nothing newer.
    """
    for entry in reversed(missing):
        rule = rule_of(EVENT_OF_KIND[entry.kind])
        if entry.kind == "annotate" or rule.status not in (None, rest_incident.status):
            continue
        as_of = issue.as_of if issue else None
        return entry if as_of is None or entry.at + _A_SECOND > as_of else None
    return None


def _event_from_entry(
    entry: LogEntry, rest_incident: RestIncident, carries: bool, issue: Issue | None
) -> DerivedEvent:
    at = entry.at
    if carries:
        data = rest_incident.data
        at = max(at, issue.as_of) if issue and issue.as_of else at
    else:
        subject = {
            "id": rest_incident.incident_id,
            "type": "incident_reference",
            "title": rest_incident.snapshot.title,
        }
        data = {"type": "log_entry", "id": entry.id, "incident": subject, "content": entry.text}
    return derive_event(entry.event_id, EVENT_OF_KIND[entry.kind], at, entry.agent, data)


def _event_from_snapshot(rest_incident: RestIncident, issue: Issue | None) -> DerivedEvent:
    """Return an event of the current state alone, for which no log entry fits. Its id hashes the state."""
    kind, at = _implied_change(rest_incident, issue)
    at = at or rest_incident.updated_at
    if issue is not None and issue.as_of is not None:
        at = max(at or issue.as_of, issue.as_of)
    digest = hashlib.sha256(json.dumps([rest_incident.data, str(at)], sort_keys=True).encode()).hexdigest()
    return derive_event(
        f"picture:{rest_incident.incident_id}:{digest[:16]}", kind, at, None, rest_incident.data
    )


def _implied_change(rest_incident: RestIncident, issue: Issue | None) -> tuple[str, datetime | None]:
    """Return the event type that explains the current state, and its time (UTC)."""
    resolved = IncidentStatus.RESOLVED
    was_resolved = issue is not None and issue.status is resolved
    if rest_incident.status is resolved and not was_resolved:
        return EventType.RESOLVED, rest_incident.resolved_at
    if was_resolved and rest_incident.status is not resolved:
        return EventType.REOPENED, rest_incident.reopened_at
    return RECONCILED, None
