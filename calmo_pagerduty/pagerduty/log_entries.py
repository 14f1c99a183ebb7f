"""PagerDuty's log entries beside the events that webhooks told: which of them are missing here.

An event's id and its log entry's are not documented to be equal. So they are matched by what
happened, when (a log entry tells whole seconds) and who did it; in doubt they are the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_text
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import MAX_TEXT, Json, Reference, parse_reference

#: Log entries that have an event of their own. Others (a page, a changed field) show in the state only.
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
#: What assigns as a part of itself: such an `assign` is no event of its own.
_ASSIGNING_KINDS = frozenset(
    {"trigger", "escalate", "delegate", "field_value_change", "repeat_escalation_path"}
)
_ASSIGN_WINDOW = timedelta(seconds=2)
#: A log entry's time is cut to its second, and is written beside the event, not with it.
_LOG_RESOLUTION = timedelta(seconds=1)
MATCH_TOLERANCE = timedelta(seconds=5)
#: The end of what a timeline says of an entry that no webhook told.
RECONCILED_SUFFIX = " (reconciled)"
#: How the timeline knows what PagerDuty's log told.
LOG_EVENT_PREFIX = "log:"
_NO_TIME = timedelta()
_COMPARED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened, as PagerDuty's log has it. `agent` None is automation. Times are UTC."""

    id: str
    kind: str
    incident_id: str
    at: datetime
    agent: Reference | None
    text: str = ""

    @property
    def event_id(self) -> str:
        """What the timeline knows it by."""
        return f"{LOG_EVENT_PREFIX}{self.id}"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """What a timeline has already."""

    event_id: str
    event_type: str
    occurred_at: datetime
    actor_id: str | None = None
    summary: str = ""


def is_logged(event_id: str) -> bool:
    """Tell whether a comparison with PagerDuty's log added the event, and no webhook brought it."""
    return event_id.startswith(LOG_EVENT_PREFIX)


def parse_log_entry(item: Json) -> LogEntry | None:
    """Read one of PagerDuty's log entries; None if it can't be told what it is about."""
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


def missing_entries(entries: Iterable[LogEntry], known: Sequence[TimelineEvent]) -> tuple[LogEntry, ...]:
    """Return one incident's entries that its timeline lacks, oldest first."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    ids = {event.event_id for event in known}
    unknown = [entry for entry in _event_entries(ordered) if entry.event_id not in ids]
    free = [event for event in known if not is_logged(event.event_id)]
    told = _matched_entries(unknown, free)
    return tuple(entry for entry in unknown if entry.id not in told)


def superseded_entries(entries: Sequence[TimelineEvent], events: Sequence[TimelineEvent]) -> set[str]:
    """Return the ids of the reconciled entries (`log:…`) that these events, which came late, tell too."""
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
    """Leave out what is no event of its own."""
    assigning = [entry.at for entry in ordered if entry.kind in _ASSIGNING_KINDS]
    return [
        entry
        for entry in ordered
        if entry.kind in EVENT_OF_KIND
        and not (entry.kind == "assign" and any(abs(entry.at - at) <= _ASSIGN_WINDOW for at in assigning))
    ]


def _matched_entries(entries: Sequence[LogEntry], known: Sequence[TimelineEvent]) -> set[str]:
    """Return the ids of the entries that events have told already: each event tells one, the nearest."""
    pairs = sorted(
        (
            (_entry_gap(entry, event), place, entry.id, event.event_id)
            for place, entry in enumerate(entries)
            for event in known
            if _may_match(entry, event)
        ),
    )
    return {
        entry_id for _, entry_id, _ in _greedy_matching((gap, entry, other) for gap, _, entry, other in pairs)
    }


def _greedy_matching(pairs: Iterable[tuple[timedelta, str, str]]) -> Iterator[tuple[timedelta, str, str]]:
    """Yield the nearest pairs, each one and each other once."""
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
    """How far an event is from the second that an entry names."""
    return max(-after, after - _LOG_RESOLUTION, _NO_TIME)


def _text(item: Json) -> str:
    said = item.get("note") or as_object(item.get("channel")).get("summary")
    return as_text(said, MAX_TEXT) or ""
