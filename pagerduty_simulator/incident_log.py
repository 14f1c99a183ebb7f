"""The incidents' log entries in PagerDuty's types, and the times that follow from them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.resources import Incident, IncidentStatus, User

# The log entry's type without its suffix `_log_entry`. PagerDuty has none for status updates, roles,
# tasks, actions and workflows; none is documented for a reopening, which appears as a changed field.
KIND_OF_EVENT: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        EventType.TRIGGERED: "trigger",
        EventType.ACKNOWLEDGED: "acknowledge",
        EventType.UNACKNOWLEDGED: "unacknowledge",
        EventType.RESOLVED: "resolve",
        EventType.REOPENED: "field_value_change",
        EventType.ESCALATED: "escalate",
        EventType.REASSIGNED: "assign",
        EventType.DELEGATED: "delegate",
        EventType.PRIORITY_UPDATED: "field_value_change",
        EventType.SERVICE_CHANGED: "field_value_change",
        EventType.INCIDENT_TYPE_CHANGED: "field_value_change",
        EventType.CONFERENCE_BRIDGE_UPDATED: "field_value_change",
        EventType.ANNOTATED: "annotate",
        EventType.RESPONDER_ADDED: "notify",
        EventType.CUSTOM_FIELD_VALUES_UPDATED: "custom_field_value_change",
    }
)

_SUMMARY_OF_KIND: Final[Mapping[str, str]] = {
    "trigger": "Triggered",
    "acknowledge": "Acknowledged",
    "unacknowledge": "Unacknowledged",
    "resolve": "Resolved",
    "escalate": "Escalated",
    "assign": "Assigned",
    "delegate": "Delegated",
    "annotate": "Note added",
    "notify": "Notified",
    "snooze": "Snoozed",
    "urgency_change": "Urgency changed",
    "field_value_change": "Field changed",
    "custom_field_value_change": "Custom field changed",
}


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log entry; an `agent` of None is automation, `users` are the users concerned."""

    id: str
    kind: str
    incident_id: str
    created_at: datetime
    agent: User | None
    summary: str
    users: tuple[User, ...] = ()
    note: str | None = None


@dataclass(slots=True)
class IncidentTimes:
    """The times of an incident that REST shows beyond its webhooks, in UTC."""

    updated_at: datetime
    status_changed_at: datetime
    status_changed_by: User | None = None
    assigned_at: datetime | None = None
    acknowledgements: tuple[tuple[datetime, User | None], ...] = ()


class IncidentLog:
    """All log entries of the account, oldest first."""

    def __init__(self) -> None:
        # A source of its own: the ids of the events stay the same whatever is logged.
        self._rng = random.Random("log entries")
        self.entries: list[LogEntry] = []
        self.by_id: dict[str, LogEntry] = {}
        self.by_incident: dict[str, list[LogEntry]] = {}
        self.standings: dict[str, IncidentTimes] = {}

    def record(
        self, kind: str | None, before: Incident | None, after: Incident, at: datetime, by: User | None
    ) -> None:
        """Log the change from `before` to `after`, and whom PagerDuty notified of it."""
        standing = self.standings.get(after.id)
        if standing is None:
            standing = self.standings[after.id] = IncidentTimes(at, at, by)
        standing.updated_at = at
        if before is None or before.status is not after.status:
            standing.status_changed_at, standing.status_changed_by = at, by
        if after.status is not IncidentStatus.ACKNOWLEDGED:
            standing.acknowledgements = ()
        elif before is None or before.status is not after.status:
            standing.acknowledgements = ((at, by),)
        moved = before is None or before.assignees != after.assignees
        paged = moved or kind in {"escalate", "assign", "delegate"}
        if paged:
            standing.assigned_at = at
        if kind is None:
            return
        self._write(kind, before, after, at, by)
        if paged and after.assignees:
            if kind not in {"escalate", "assign", "delegate"}:
                self.add("assign", after, at, by, after.assignees)
            for user in after.assignees:
                self.add("notify", after, at, None, (user,))

    def of(self, incident_id: str) -> list[LogEntry]:
        """Return an incident's entries, oldest first."""
        return self.by_incident.get(incident_id, [])

    def _write(
        self, kind: str, before: Incident | None, after: Incident, at: datetime, by: User | None
    ) -> None:
        note: str | None = None
        users: tuple[User, ...] = ()
        if kind == "annotate":
            note = after.notes[-1].content
        elif kind == "resolve":
            note = after.resolution
        elif kind in {"escalate", "assign", "delegate"}:
            users = after.assignees
        elif kind == "notify" and after.responders:
            users = (after.responders[-1].user,)
        elif kind == "field_value_change" and before is not None:
            note = _changed_field(before, after)
        self.add(kind, after, at, by, users, note)

    def add(
        self,
        kind: str,
        incident: Incident,
        at: datetime,
        by: User | None,
        users: tuple[User, ...] = (),
        note: str | None = None,
    ) -> None:
        """Add an entry. A caller that adds past entries must sort `entries` by time afterwards."""
        words = _SUMMARY_OF_KIND[kind]
        if kind == "field_value_change" and note is not None:
            words, note = note, None
        if users:
            words = f"{words}: {', '.join(user.name for user in users)}"
        if by is not None:
            words = f"{words} by {by.name}"
        entry_id = "R" + identifiers.incident_id(self._rng)[1:]
        entry = LogEntry(entry_id, kind, incident.id, at, by, words, users, note)
        self.entries.append(entry)
        self.by_id[entry.id] = entry
        self.by_incident.setdefault(incident.id, []).append(entry)


def _changed_field(before: Incident, after: Incident) -> str:
    if before.status is not after.status:
        return "Reopened"
    for name in ("title", "priority", "service", "incident_type", "conference_bridge"):
        if getattr(before, name) != getattr(after, name):
            return f"Changed {name.replace('_', ' ')}"
    return "Field changed"
