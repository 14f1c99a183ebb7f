"""What PagerDuty says of an incident beside what our issue says: the difference, and what mends it.

The state is compared, not the history: the newest picture wins, here as in a webhook's event. What
mends it has the form of a webhook's event, so it goes the way that every webhook goes.
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
from calmo_pagerduty.pagerduty.webhook_events import (
    IncidentSnapshot,
    Json,
    Reference,
)

#: PagerDuty's REST API tells whole seconds: what is as of the same one may be older or newer.
_A_SECOND = timedelta(seconds=1)

#: Fields that a webhook's picture of an incident has under the same name.
_SHARED_FIELDS = (
    "id", "status", "title", "urgency", "service", "escalation_policy", "teams", "priority", "created_at",
    "html_url", "resolve_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RestIncident:
    """An incident as REST shows it; `data` is in the form of a webhook's. Times are UTC."""

    incident_id: str
    data: Json
    snapshot: IncidentSnapshot
    status: IncidentStatus
    updated_at: datetime | None
    resolved_at: datetime | None
    reopened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`fields` names what stands otherwise here; `additions` make it right, oldest first."""

    fields: tuple[str, ...] = ()
    is_new: bool = False
    derived_events: tuple[DerivedEvent, ...] = ()


def parse_rest_incident(incident: Json) -> RestIncident | None:
    """Read an incident of the REST API; None for a reference, or for what can't be one."""
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
    read = derive_event("read", RECONCILED, None, None, data)
    assert read.event.snapshot is not None
    return RestIncident(
        incident_id=incident_id,
        data=data,
        snapshot=read.event.snapshot,
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
    known: Sequence[TimelineEvent],
) -> Difference:
    """Compare. Once the additions are on the timeline, the same comparison finds nothing."""
    lacking = missing_entries(entries, known)
    fields = drifted_fields(rest_incident, issue)
    carrier = _carrying_entry(rest_incident, lacking, issue) if fields else None
    additions = [
        _event_from_entry(entry, rest_incident, carries=entry is carrier, issue=issue) for entry in lacking
    ]
    if fields and carrier is None:
        additions.append(_event_from_snapshot(rest_incident, issue))
    return Difference(fields, issue is None, tuple(additions))


def drifted_fields(rest_incident: RestIncident, issue: Issue | None) -> tuple[str, ...]:
    """Return what stands otherwise here than at PagerDuty, unless what is here is newer."""
    if issue is None or issue.as_of is None:
        return ("everything",)
    if rest_incident.updated_at is not None and issue.as_of >= rest_incident.updated_at + _A_SECOND:
        return ()
    return tuple(name for name, differs in _DRIFT_CHECKS.items() if differs(rest_incident, issue))


def may_be_outdated(rest_incident: RestIncident, issue: Issue | None) -> bool:
    """Whether what is here may be newer than the picture: as far as its whole second tells, it may be."""
    if issue is None or issue.as_of is None:
        return False
    return rest_incident.updated_at is None or issue.as_of >= rest_incident.updated_at


def _ids(references: Sequence[Reference]) -> frozenset[str]:
    return frozenset(reference.id for reference in references)


def _id(reference: Reference | None) -> str | None:
    return reference.id if reference else None


#: What is compared, and how. PagerDuty empties the assignees of what is resolved; an issue keeps them.
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
    rest_incident: RestIncident, lacking: Sequence[LogEntry], issue: Issue | None
) -> LogEntry | None:
    """Return the entry that may show the incident as it is now: the last that shows it at all, if
    nothing newer is known here.
    """
    for entry in reversed(lacking):
        rule = rule_of(EVENT_OF_KIND[entry.kind])
        if entry.kind == "annotate" or rule.status not in (None, rest_incident.status):
            continue
        known = issue.as_of if issue else None
        return entry if known is None or entry.at + _A_SECOND > known else None
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
    """The picture alone, where no log entry may carry it. Its id comes from what it shows."""
    kind, at = _implied_change(rest_incident, issue)
    at = at or rest_incident.updated_at
    if issue is not None and issue.as_of is not None:
        at = max(at or issue.as_of, issue.as_of)
    shown = hashlib.sha256(json.dumps([rest_incident.data, str(at)], sort_keys=True).encode()).hexdigest()
    return derive_event(
        f"picture:{rest_incident.incident_id}:{shown[:16]}", kind, at, None, rest_incident.data
    )


def _implied_change(rest_incident: RestIncident, issue: Issue | None) -> tuple[str, datetime | None]:
    """Name what the picture shows to have happened, and when."""
    resolved = IncidentStatus.RESOLVED
    was_resolved = issue is not None and issue.status is resolved
    if rest_incident.status is resolved and not was_resolved:
        return EventType.RESOLVED, rest_incident.resolved_at
    if was_resolved and rest_incident.status is not resolved:
        return EventType.REOPENED, rest_incident.reopened_at
    return RECONCILED, None
