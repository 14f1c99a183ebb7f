"""The past that patterns are looked for in: incidents with their pages and with what people did. Pure.

Times are epoch seconds (UTC). A page is an interruption as `calmo_pagerduty.workload.interruptions` counts
it: push, SMS, phone or WhatsApp, those of a person within a minute as one.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, LogKind, LogRecord, SectionName
from calmo_pagerduty.workload.interruptions import interruptions, known_window

DAY = 86_400
#: So many days are looked at: what is older says little about today's alerts.
DAYS = 90
#: What shows that a person had to act.
_ACTS = frozenset(
    {
        LogKind.ACKNOWLEDGE,
        LogKind.RESOLVE,
        LogKind.ANNOTATE,
        LogKind.ASSIGN,
        LogKind.DELEGATE,
        LogKind.ESCALATE,
        LogKind.SNOOZE,
    }
)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident of the window. `pages` are the times of its pages, ascending.

    `acted_at` is when a person first did something about it; None: nobody had to. `resolver_id` is the person
    who resolved it last. `log` is its log, in order of time.
    """

    incident: Incident
    pages: tuple[int, ...]
    acted_at: int | None
    resolver_id: str | None
    healed: bool
    log: tuple[LogRecord, ...]

    @property
    def at(self) -> int:
        return self.incident.created_at

    @property
    def end(self) -> int | None:
        return self.incident.resolved_at

    @property
    def is_actionable(self) -> bool:
        """Somebody acknowledged, noted, reassigned, escalated, snoozed or resolved it."""
        return self.acted_at is not None

    @property
    def healed_after(self) -> int | None:
        """Return the seconds after which it resolved itself before anybody acted; None if it didn't."""
        if not self.healed or self.is_actionable or self.end is None:
            return None
        return self.end - self.at


@dataclass(frozen=True, slots=True)
class Past:
    """Incidents of the window in order of time. `problem` says in words why there is none."""

    snapshot: AccountSnapshot
    window: Span
    incidents: tuple[PastIncident, ...]
    problem: str = ""

    @property
    def pages(self) -> int:
        return sum(len(item.pages) for item in self.incidents)


def past_of(snapshot: AccountSnapshot, now: int) -> Past:
    """Return the incidents of the last `DAYS` whose log was read."""
    end = min(now, snapshot.taken_at)
    window = known_window(snapshot, Span(end - DAYS * DAY, end))
    if window is None:
        nothing = "the log entries could not be read: pages and who acted are unknown"
        return Past(snapshot, Span(end, end), (), nothing)
    since = snapshot.section(SectionName.INCIDENTS).since
    if since is not None and since > window.start:
        window = Span(min(since, window.end), window.end)
    pages: dict[str, list[int]] = defaultdict(list)
    for item in interruptions(snapshot, window):
        pages[item.incident_id].append(item.at)
    logs: dict[str, list[LogRecord]] = defaultdict(list)
    for record in snapshot.log_records:
        logs[record.incident_id].append(record)
    found = [
        _past_incident(incident, pages.get(incident.id, ()), logs.get(incident.id, ()))
        for incident in snapshot.incidents
        if window.start <= incident.created_at < window.end
    ]
    return Past(snapshot, window, tuple(sorted(found, key=lambda item: (item.at, item.incident.id))))


def grouped(
    items: Iterable[PastIncident], key: Callable[[PastIncident], K | None]
) -> Mapping[K, tuple[PastIncident, ...]]:
    """Return the incidents by a key, in order of time; those whose key is None are left out."""
    found: dict[K, list[PastIncident]] = defaultdict(list)
    for item in items:
        value = key(item)
        if value is not None:
            found[value].append(item)
    return {value: tuple(members) for value, members in found.items()}


def by_service(past: Past) -> Mapping[str, tuple[PastIncident, ...]]:
    return grouped(past.incidents, lambda item: item.incident.service_id)


def by_kind(past: Past) -> Mapping[str, tuple[PastIncident, ...]]:
    """Return the incidents by their fingerprint; those without a known title are left out."""
    return grouped(past.incidents, lambda item: item.incident.kind)


def count_pages(items: Iterable[PastIncident]) -> int:
    return sum(len(item.pages) for item in items)


def _past_incident(incident: Incident, pages: Sequence[int], log: Sequence[LogRecord]) -> PastIncident:
    ordered = tuple(sorted(log, key=lambda record: (record.at, record.id)))
    acts = [record for record in ordered if record.kind in _ACTS and record.agent_id is not None]
    resolves = [record for record in ordered if record.kind is LogKind.RESOLVE]
    last = resolves[-1] if resolves else None
    by_itself = bool(incident.is_auto_resolved) if last is None else last.agent_id is None
    return PastIncident(
        incident=incident,
        pages=tuple(sorted(pages)),
        acted_at=acts[0].at if acts else None,
        resolver_id=last.agent_id if last else None,
        healed=incident.resolved_at is not None and by_itself,
        log=ordered,
    )
