"""The incidents' log entries in PagerDuty's types, and the times that follow from them."""

import contextlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    "repeat_escalation_path": "Escalation path repeated",
    "exhaust_escalation_path": "Escalation path exhausted",
    "urgency_change": "Urgency changed",
    "field_value_change": "Field changed",
    "custom_field_value_change": "Custom field changed",
}


#: What automation does because a time is over; other things it does for a tool.
_TIMEOUTS: Final = frozenset(
    {"escalate", "unacknowledge", "repeat_escalation_path", "exhaust_escalation_path"}
)


@dataclass(frozen=True, slots=True)
class Notification:
    """How a person was notified; `kind` is that of the contact method. A device has no address."""

    kind: str
    address: str | None = field(default=None, repr=False)
    status: str = "success"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log entry; an `agent` of None is automation, `users` are the users concerned.

    `channel` is PagerDuty's word for the way in which it came: auto, timeout or api.
    """

    id: str
    kind: str
    incident_id: str
    created_at: datetime
    agent: User | None
    summary: str
    users: tuple[User, ...] = ()
    note: str | None = None
    channel: str = "auto"
    notification: Notification | None = None


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

    def __init__(self, seed: object = None) -> None:
        # A source of its own: the ids of the events stay the same whatever is logged.
        self._rng = random.Random("log entries" if seed is None else f"log entries/{seed}")
        self.entries: list[LogEntry] = []
        self.by_id: dict[str, LogEntry] = {}
        self.by_incident: dict[str, list[LogEntry]] = {}
        self.standings: dict[str, IncidentTimes] = {}
        self._timing_out = False

    def record(
        self, kind: str | None, before: Incident | None, after: Incident, at: datetime, by: User | None
    ) -> None:
        """Log the change from `before` to `after`, and the assignment that goes with it."""
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
        if paged and after.assignees and kind not in {"escalate", "assign", "delegate"}:
            self.add("assign", after, at, by, after.assignees)

    def of(self, incident_id: str) -> list[LogEntry]:
        """Return an incident's entries, oldest first."""
        return self.by_incident.get(incident_id, [])

    def not_before(self, at: datetime) -> datetime:
        """Return the time, or that of the newest entry if it is later: entries stand in order of time."""
        return max(at, self.entries[-1].created_at) if self.entries else at

    def sort(self) -> None:
        """Put all entries in order of time, after some were added for the past."""
        self.entries.sort(key=lambda entry: entry.created_at)
        for entries in self.by_incident.values():
            entries.sort(key=lambda entry: entry.created_at)

    def adopt(self, other: "IncidentLog") -> None:
        """Add all entries of another log, of other incidents."""
        self.entries += other.entries
        self.by_id |= other.by_id
        self.by_incident |= other.by_incident
        self.standings |= other.standings
        self.sort()

    @contextlib.contextmanager
    def timing_out(self) -> Iterator[None]:
        """Log what automation does within the block as the effect of a timeout."""
        self._timing_out = True
        try:
            yield
        finally:
            self._timing_out = False

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
        *,
        notification: Notification | None = None,
    ) -> None:
        """Add an entry. A caller that adds past entries must call `sort` afterwards."""
        words = _SUMMARY_OF_KIND[kind]
        if kind == "field_value_change" and note is not None:
            words, note = note, None
        if users:
            words = f"{words}: {', '.join(user.name for user in users)}"
        if by is not None:
            words = f"{words} by {by.name}"
        entry_id = "R" + identifiers.incident_id(self._rng)[1:]
        channel = "api" if by else "timeout" if kind in _TIMEOUTS or self._timing_out else "auto"
        entry = LogEntry(entry_id, kind, incident.id, at, by, words, users, note, channel, notification)
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
