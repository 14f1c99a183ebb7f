"""What PagerDuty says of an incident beside what our issue says: the difference, and what mends it.

The state is compared, not the history: the newest picture wins, here as in a webhook's event. What
mends it has the form of a webhook's event, so it goes the way that every webhook goes.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.incident_ref import INCIDENT_ID
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.pagerduty.event_types import RECONCILED, EventType, IncidentStatus, rule_of
from calmo_pagerduty.pagerduty.log_entries import EVENT_OF_KIND, KnownEvent, LogEntry, missing
from calmo_pagerduty.pagerduty.webhook_events import (
    IncidentSnapshot,
    Json,
    Reference,
    WebhookEvent,
    parse_event,
)

#: PagerDuty's REST API tells whole seconds: what is as of the same one may be older or newer.
_A_SECOND = timedelta(seconds=1)

#: Fields that a webhook's picture of an incident has under the same name.
_SAME = (
    "id", "status", "title", "urgency", "service", "escalation_policy", "teams", "priority", "created_at",
    "html_url", "resolve_reason",
)  # fmt: skip


def reconciled_webhook_id(connection_id: str) -> str:
    """Whence the inbox has what a comparison added. It is no address: nothing is delivered to it."""
    return f"reconciled_{connection_id}"


@dataclass(frozen=True, slots=True)
class Picture:
    """An incident as REST shows it; `data` is in the form of a webhook's. Times are UTC."""

    incident_id: str
    data: Json
    snapshot: IncidentSnapshot
    status: IncidentStatus
    updated_at: datetime | None
    resolved_at: datetime | None
    reopened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Addition:
    """An event to add. `body` is what a webhook would have brought."""

    event_id: str
    event: WebhookEvent
    body: bytes


@dataclass(frozen=True, slots=True)
class Difference:
    """`fields` names what stands otherwise here; `additions` make it right, oldest first."""

    fields: tuple[str, ...] = ()
    is_new: bool = False
    additions: tuple[Addition, ...] = ()


def read_picture(incident: Json) -> Picture | None:
    """Read an incident of the REST API; None for a reference, or for what can't be one."""
    incident_id, status = incident.get("id"), incident.get("status")
    if not isinstance(incident_id, str) or not INCIDENT_ID.fullmatch(incident_id):
        return None
    if status not in tuple(IncidentStatus):
        return None
    assignments = incident.get("assignments")
    data: Json = {name: incident.get(name) for name in _SAME} | {
        "type": "incident",
        "number": incident.get("incident_number", incident.get("number")),
        "assignees": [
            assignment["assignee"]
            for assignment in (assignments if isinstance(assignments, list) else [])
            if isinstance(assignment, dict) and isinstance(assignment.get("assignee"), dict)
        ],
    }
    read = addition("read", RECONCILED, None, None, data)
    assert read.event.snapshot is not None
    return Picture(
        incident_id=incident_id,
        data=data,
        snapshot=read.event.snapshot,
        status=IncidentStatus(status),
        updated_at=instant_of(incident.get("updated_at"))
        or instant_of(incident.get("last_status_change_at")),
        resolved_at=instant_of(incident.get("resolved_at")),
        reopened_at=instant_of(incident.get("reopened_at")),
    )


def difference(
    picture: Picture, entries: Sequence[LogEntry], issue: Issue | None, known: Sequence[KnownEvent]
) -> Difference:
    """Compare. Once the additions are on the timeline, the same comparison finds nothing."""
    lacking = missing(entries, known)
    fields = drift(picture, issue)
    carrier = _carrier(picture, lacking, issue) if fields else None
    additions = [_of_entry(entry, picture, carries=entry is carrier, issue=issue) for entry in lacking]
    if fields and carrier is None:
        additions.append(_of_picture(picture, issue))
    return Difference(fields, issue is None, tuple(additions))


def drift(picture: Picture, issue: Issue | None) -> tuple[str, ...]:
    """Return what stands otherwise here than at PagerDuty, unless what is here is newer."""
    if issue is None or issue.as_of is None:
        return ("everything",)
    if picture.updated_at is not None and issue.as_of >= picture.updated_at + _A_SECOND:
        return ()
    return tuple(name for name, differs in _COMPARED.items() if differs(picture, issue))


def may_be_outdated(picture: Picture, issue: Issue | None) -> bool:
    """Whether what is here may be newer than the picture: as far as its whole second tells, it may be."""
    if issue is None or issue.as_of is None:
        return False
    return picture.updated_at is None or issue.as_of >= picture.updated_at


def _ids(references: Sequence[Reference]) -> frozenset[str]:
    return frozenset(reference.id for reference in references)


def _id(reference: Reference | None) -> str | None:
    return reference.id if reference else None


#: What is compared, and how. PagerDuty empties the assignees of what is resolved; an issue keeps them.
_COMPARED: Mapping[str, Callable[[Picture, Issue], bool]] = {
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


def _carrier(picture: Picture, lacking: Sequence[LogEntry], issue: Issue | None) -> LogEntry | None:
    """Return the entry that may show the incident as it is now: the last that shows it at all, if
    nothing newer is known here.
    """
    for entry in reversed(lacking):
        rule = rule_of(EVENT_OF_KIND[entry.kind])
        if entry.kind == "annotate" or rule.status not in (None, picture.status):
            continue
        known = issue.as_of if issue else None
        return entry if known is None or entry.at + _A_SECOND > known else None
    return None


def _of_entry(entry: LogEntry, picture: Picture, carries: bool, issue: Issue | None) -> Addition:
    at = entry.at
    if carries:
        data = picture.data
        at = max(at, issue.as_of) if issue and issue.as_of else at
    else:
        subject = {"id": picture.incident_id, "type": "incident_reference", "title": picture.snapshot.title}
        data = {"type": "log_entry", "id": entry.id, "incident": subject, "content": entry.text}
    return addition(entry.event_id, EVENT_OF_KIND[entry.kind], at, entry.agent, data)


def _of_picture(picture: Picture, issue: Issue | None) -> Addition:
    """The picture alone, where no log entry may carry it. Its id comes from what it shows."""
    kind, at = _in_a_word(picture, issue)
    at = at or picture.updated_at
    if issue is not None and issue.as_of is not None:
        at = max(at or issue.as_of, issue.as_of)
    shown = hashlib.sha256(json.dumps([picture.data, str(at)], sort_keys=True).encode()).hexdigest()
    return addition(f"picture:{picture.incident_id}:{shown[:16]}", kind, at, None, picture.data)


def _in_a_word(picture: Picture, issue: Issue | None) -> tuple[str, datetime | None]:
    """Name what the picture shows to have happened, and when."""
    resolved = IncidentStatus.RESOLVED
    was_resolved = issue is not None and issue.status is resolved
    if picture.status is resolved and not was_resolved:
        return EventType.RESOLVED, picture.resolved_at
    if was_resolved and picture.status is not resolved:
        return EventType.REOPENED, picture.reopened_at
    return RECONCILED, None


def addition(
    event_id: str,
    event_type: str,
    at: datetime | None,
    agent: Reference | None,
    data: Json,
    client: str = "reconciliation",
) -> Addition:
    """Return an event in the form of a webhook's."""
    who = None
    if agent is not None:
        who = {"id": agent.id, "type": agent.type, "summary": agent.name, "html_url": agent.url}
    event = {
        "id": event_id,
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": at.isoformat() if at else None,
        "agent": who,
        "client": {"name": client},
        "data": data,
    }
    body = json.dumps({"event": event}, separators=(",", ":")).encode()
    read = parse_event(body)
    assert isinstance(read, WebhookEvent)
    return Addition(event_id, read, body)
