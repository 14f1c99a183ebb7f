"""PagerDuty's log entries beside the events that webhooks told: which of them are missing here.

An event's id and its log entry's are not documented to be equal. So they are matched by what
happened, when (a log entry tells whole seconds) and who did it; in doubt they are the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calmo_pagerduty.kernel.incident_ref import INCIDENT_ID
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.kernel.json_values import object_of, text_of
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import MAX_TEXT, Json, Reference, reference_of

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
_ASSIGNING = frozenset({"trigger", "escalate", "delegate", "field_value_change", "repeat_escalation_path"})
_WITHIN = timedelta(seconds=2)
#: A log entry's time is cut to its second, and is written beside the event, not with it.
_CUT = timedelta(seconds=1)
TOLERANCE = timedelta(seconds=5)
#: The end of what a timeline says of an entry that no webhook told.
RECONCILED_MARK = " (reconciled)"
#: How the timeline knows what PagerDuty's log told.
LOGGED = "log:"
_NO_TIME = timedelta()
_COMPARED = 200


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
        return f"{LOGGED}{self.id}"


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """What a timeline has already."""

    event_id: str
    event_type: str
    occurred_at: datetime
    actor_id: str | None = None
    summary: str = ""


def is_logged(event_id: str) -> bool:
    """Tell whether a comparison with PagerDuty's log added the event, and no webhook brought it."""
    return event_id.startswith(LOGGED)


def read_log_entry(item: Json) -> LogEntry | None:
    """Read one of PagerDuty's log entries; None if it can't be told what it is about."""
    identity, kind = item.get("id"), str(item.get("type", "")).removesuffix("_reference")
    incident_id = object_of(item.get("incident")).get("id")
    at = instant_of(item.get("created_at"))
    if not isinstance(identity, str) or not INCIDENT_ID.fullmatch(identity) or at is None:
        return None
    if not isinstance(incident_id, str) or not INCIDENT_ID.fullmatch(incident_id):
        return None
    agent = reference_of(item.get("agent"))
    return LogEntry(
        id=identity,
        kind=kind.removesuffix("_log_entry"),
        incident_id=incident_id,
        at=at,
        agent=agent if agent and agent.type.startswith("user") else None,
        text=_text(item) if kind == "annotate_log_entry" else "",
    )


def missing(entries: Iterable[LogEntry], known: Sequence[KnownEvent]) -> tuple[LogEntry, ...]:
    """Return one incident's entries that its timeline lacks, oldest first."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    ids = {event.event_id for event in known}
    unknown = [entry for entry in _with_events(ordered) if entry.event_id not in ids]
    free = [event for event in known if not is_logged(event.event_id)]
    told = _told(unknown, free)
    return tuple(entry for entry in unknown if entry.id not in told)


def taken_over(entries: Sequence[KnownEvent], events: Sequence[KnownEvent]) -> set[str]:
    """Return the ids of the reconciled entries (`log:…`) that these events, which came late, tell too."""
    pairs = sorted(
        (_between(entry, event), entry.event_id, event.event_id)
        for entry in entries
        for event in events
        if entry.event_type == event.event_type and _between(entry, event) <= TOLERANCE
        if not (entry.actor_id and event.actor_id and entry.actor_id != event.actor_id)
        if entry.event_type != EventType.ANNOTATED or _says(entry) == _says(event)
    )
    return {entry_id for _, entry_id, _ in _one_each(pairs)}


def _says(event: KnownEvent) -> str:
    return event.summary.removesuffix(RECONCILED_MARK)


def _with_events(ordered: Sequence[LogEntry]) -> list[LogEntry]:
    """Leave out what is no event of its own."""
    assigning = [entry.at for entry in ordered if entry.kind in _ASSIGNING]
    return [
        entry
        for entry in ordered
        if entry.kind in EVENT_OF_KIND
        and not (entry.kind == "assign" and any(abs(entry.at - at) <= _WITHIN for at in assigning))
    ]


def _told(entries: Sequence[LogEntry], known: Sequence[KnownEvent]) -> set[str]:
    """Return the ids of the entries that events have told already: each event tells one, the nearest."""
    pairs = sorted(
        (
            (_distance(entry, event), place, entry.id, event.event_id)
            for place, entry in enumerate(entries)
            for event in known
            if _may_be_the_same(entry, event)
        ),
    )
    return {entry_id for _, entry_id, _ in _one_each((gap, entry, other) for gap, _, entry, other in pairs)}


def _one_each(pairs: Iterable[tuple[timedelta, str, str]]) -> Iterator[tuple[timedelta, str, str]]:
    """Yield the nearest pairs, each one and each other once."""
    used: tuple[set[str], set[str]] = (set(), set())
    for pair in pairs:
        if pair[1] not in used[0] and pair[2] not in used[1]:
            used[0].add(pair[1])
            used[1].add(pair[2])
            yield pair


def _may_be_the_same(entry: LogEntry, event: KnownEvent) -> bool:
    if event.event_type != EVENT_OF_KIND[entry.kind] or _distance(entry, event) > TOLERANCE:
        return False
    if entry.agent and event.actor_id and entry.agent.id != event.actor_id:
        return False
    return not entry.text or ": " not in event.summary or entry.text[:_COMPARED] in event.summary


def _distance(entry: LogEntry, event: KnownEvent) -> timedelta:
    return _gap(event.occurred_at - entry.at)


def _between(entry: KnownEvent, event: KnownEvent) -> timedelta:
    return _gap(event.occurred_at - entry.occurred_at)


def _gap(after: timedelta) -> timedelta:
    """How far an event is from the second that an entry names."""
    return max(-after, after - _CUT, _NO_TIME)


def _text(item: Json) -> str:
    said = item.get("note") or object_of(item.get("channel")).get("summary")
    return text_of(said, MAX_TEXT) or ""
