"""Compares PagerDuty's log entries with a timeline and finds the entries that the timeline lacks.

PagerDuty doesn't document that an event and its log entry share an id. So they are matched by type, time
(log entries have whole seconds) and agent. In doubt they count as the same.
Source: PagerDuty's REST documentation, "List log entries for an incident".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_text
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import MAX_TEXT, Json, Reference, parse_reference

#: Kinds of log entries that have an event type. Others (a page, a changed field) have none.
EVENT_OF_KIND: Mapping[str, EventType] = {
    "trigger": EventType.TRIGGERED,
    "acknowledge": EventType.ACKNOWLEDGED,
    "unacknowledge": EventType.UNACKNOWLEDGED,
    "resolve": EventType.RESOLVED,
    "escalate": EventType.ESCALATED,
    "assign": EventType.REASSIGNED,
    "delegate": EventType.DELEGATED,
    "annotate": EventType.ANNOTATED,
}
#: Kinds that assign the incident too: an `assign` entry beside such an entry is no event of its own.
_ASSIGNING_KINDS = frozenset(
    {"trigger", "escalate", "delegate", "field_value_change", "repeat_escalation_path"}
)
_ASSIGN_WINDOW = timedelta(seconds=2)
#: A log entry's time is cut to whole seconds.
_LOG_RESOLUTION = timedelta(seconds=1)
#: PagerDuty writes the log entry and the event separately, so their times differ a little.
MATCH_TOLERANCE = timedelta(seconds=5)
#: Suffix of a timeline entry's summary if it comes from reconciliation and not from a webhook.
RECONCILED_SUFFIX = " (reconciled)"
#: Prefix of the event ids of timeline entries that come from PagerDuty's log.
LOG_EVENT_PREFIX = "log:"
_NO_TIME = timedelta()
_COMPARED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of PagerDuty's log. `at` is UTC; `agent` is None for automation.

    `kind` is the entry's type without `_log_entry`. `text` is the note's text, else empty.
    """

    id: str
    kind: str
    incident_id: str
    at: datetime
    agent: Reference | None
    text: str = ""

    @property
    def event_id(self) -> str:
        """The event id of the timeline entry that is derived from it."""
        return f"{LOG_EVENT_PREFIX}{self.id}"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An event that is on a timeline already. `occurred_at` is UTC."""

    event_id: str
    event_type: str
    occurred_at: datetime
    actor_id: str | None = None
    summary: str = ""


def is_logged(event_id: str) -> bool:
    """Tell whether the event comes from PagerDuty's log and not from a webhook."""
    return event_id.startswith(LOG_EVENT_PREFIX)


def parse_log_entry(item: Json) -> LogEntry | None:
    """Parse a log entry of the REST API; None if its id, incident or time is missing or invalid."""
    identity, kind = item.get("id"), str(item.get("type", "")).removesuffix("_reference")
    incident_id = as_object(item.get("incident")).get("id")
    at = parse_instant(item.get("created_at"))
    if not isinstance(identity, str) or not INCIDENT_ID.fullmatch(identity) or at is None:
        return None
    if not isinstance(incident_id, str) or not INCIDENT_ID.fullmatch(incident_id):
        return None
    agent = parse_reference(item.get("agent"))
    return LogEntry(
        id=identity,
        kind=kind.removesuffix("_log_entry"),
        incident_id=incident_id,
        at=at,
        agent=agent if agent and agent.type.startswith("user") else None,
        text=_text(item) if kind == "annotate_log_entry" else "",
    )


def missing_entries(entries: Iterable[LogEntry], events: Sequence[TimelineEvent]) -> tuple[LogEntry, ...]:
    """Return those of one incident's log entries that its timeline (`events`) lacks, oldest first."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    ids = {event.event_id for event in events}
    unknown = [entry for entry in _event_entries(ordered) if entry.event_id not in ids]
    delivered = [event for event in events if not is_logged(event.event_id)]
    matched = _matched_entries(unknown, delivered)
    return tuple(entry for entry in unknown if entry.id not in matched)


def superseded_entries(entries: Sequence[TimelineEvent], events: Sequence[TimelineEvent]) -> set[str]:
    """Return the ids (`log:…`) of the reconciled entries that these late events report as well."""
    pairs = sorted(
        (_event_gap(entry, event), entry.event_id, event.event_id)
        for entry in entries
        for event in events
        if entry.event_type == event.event_type and _event_gap(entry, event) <= MATCH_TOLERANCE
        if not (entry.actor_id and event.actor_id and entry.actor_id != event.actor_id)
        if entry.event_type != EventType.ANNOTATED or _entry_text(entry) == _entry_text(event)
    )
    return {entry_id for _, entry_id, _ in _greedy_matching(pairs)}


def _entry_text(event: TimelineEvent) -> str:
    return event.summary.removesuffix(RECONCILED_SUFFIX)


def _event_entries(ordered: Sequence[LogEntry]) -> list[LogEntry]:
    """Return the entries that are events of their own."""
    assigning = [entry.at for entry in ordered if entry.kind in _ASSIGNING_KINDS]
    return [
        entry
        for entry in ordered
        if entry.kind in EVENT_OF_KIND
        and not (entry.kind == "assign" and any(abs(entry.at - at) <= _ASSIGN_WINDOW for at in assigning))
    ]


def _matched_entries(entries: Sequence[LogEntry], events: Sequence[TimelineEvent]) -> set[str]:
    """Return the ids of the entries that have an event. Each event matches one entry, the nearest."""
    pairs = sorted(
        (
            (_entry_gap(entry, event), place, entry.id, event.event_id)
            for place, entry in enumerate(entries)
            for event in events
            if _may_match(entry, event)
        ),
    )
    return {
        entry_id for _, entry_id, _ in _greedy_matching((gap, entry, other) for gap, _, entry, other in pairs)
    }


def _greedy_matching(pairs: Iterable[tuple[timedelta, str, str]]) -> Iterator[tuple[timedelta, str, str]]:
    """Match greedily, nearest pair first, and use each id once. `pairs` are (gap, id, other id), sorted."""
    used: tuple[set[str], set[str]] = (set(), set())
    for pair in pairs:
        if pair[1] not in used[0] and pair[2] not in used[1]:
            used[0].add(pair[1])
            used[1].add(pair[2])
            yield pair


def _may_match(entry: LogEntry, event: TimelineEvent) -> bool:
    if event.event_type != EVENT_OF_KIND[entry.kind] or _entry_gap(entry, event) > MATCH_TOLERANCE:
        return False
    if entry.agent and event.actor_id and entry.agent.id != event.actor_id:
        return False
    return not entry.text or ": " not in event.summary or entry.text[:_COMPARED_LENGTH] in event.summary


def _entry_gap(entry: LogEntry, event: TimelineEvent) -> timedelta:
    return _gap(event.occurred_at - entry.at)


def _event_gap(entry: TimelineEvent, event: TimelineEvent) -> timedelta:
    return _gap(event.occurred_at - entry.occurred_at)


def _gap(after: timedelta) -> timedelta:
    """Return the distance of an event from the whole second of a log entry."""
    return max(-after, after - _LOG_RESOLUTION, _NO_TIME)


def _text(item: Json) -> str:
    note = item.get("note") or as_object(item.get("channel")).get("summary")
    return as_text(note, MAX_TEXT) or ""
