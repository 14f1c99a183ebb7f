"""Interruptions of people: notifications that reach them at once, several within a minute as one. Pure.

Source: PagerDuty's responder analytics: an interruption is a push, SMS or phone notification, no e-mail;
those of the same person within 60 seconds are one. The 60 seconds run from the first of them ("anchored"):
PagerDuty doesn't say whether a chain would go on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, LogKind, SectionName, SectionState

INTERRUPTING = frozenset({ContactKind.PUSH, ContactKind.SMS, ContactKind.PHONE, ContactKind.WHATSAPP})
#: Notifications of a person within so many seconds of the first are one interruption.
SAME_INTERRUPTION_SECONDS = 60
#: Interruptions less than so many seconds apart are a burst: they come from one cause.
BURST_SECONDS = 2 * 3600


@dataclass(frozen=True, slots=True)
class Interruption:
    """A person was interrupted at `at` (epoch seconds, UTC). `record_ids` are its log entries."""

    user_id: str
    at: int
    incident_id: str
    policy_id: str | None
    record_ids: tuple[str, ...]


def is_known(snapshot: AccountSnapshot) -> bool:
    """Tell whether the snapshot has log entries at all; without them, interruptions are unknown, not zero."""
    return _log_state(snapshot) in {SectionState.COMPLETE, SectionState.PARTIAL}


def known_window(snapshot: AccountSnapshot, window: Span) -> Span | None:
    """Return the part of a window whose log entries were read; None if none were."""
    if not is_known(snapshot):
        return None
    section = snapshot.section(SectionName.LOG_ENTRIES)
    start = window.start if section.since is None else max(window.start, section.since)
    end = min(window.end, section.fetched_at)
    return Span(start, end) if start < end else None


def interruptions(snapshot: AccountSnapshot, window: Span) -> tuple[Interruption, ...]:
    """Return the interruptions that begin within a window, earliest first."""
    policy_of = {incident.id: incident.policy_id for incident in snapshot.incidents}
    found: list[Interruption] = []
    latest: dict[str, int] = {}
    records = sorted(
        {record.id: record for record in snapshot.log_records if record.kind is LogKind.NOTIFY}.values(),
        key=lambda record: (record.at, record.id),
    )
    for record in records:
        if record.channel not in INTERRUPTING:
            continue
        for user_id in sorted(set(record.user_ids)):
            index = latest.get(user_id)
            if index is not None and record.at < found[index].at + SAME_INTERRUPTION_SECONDS:
                found[index] = _joined(found[index], record.id)
                continue
            latest[user_id] = len(found)
            policy_id = record.policy_id or policy_of.get(record.incident_id)
            found.append(Interruption(user_id, record.at, record.incident_id, policy_id, (record.id,)))
    return tuple(item for item in found if window.start <= item.at < window.end)


def bursts(times: Iterable[int], gap: int = BURST_SECONDS) -> tuple[int, ...]:
    """Return the sizes of bursts: what comes less than `gap` seconds after the one before belongs to it."""
    sizes: list[int] = []
    before = None
    for at in sorted(times):
        if before is None or at - before >= gap:
            sizes.append(0)
        sizes[-1] += 1
        before = at
    return tuple(sizes)


def burst_begins(times: Iterable[int], gap: int = BURST_SECONDS) -> tuple[int, ...]:
    """Return when bursts begin."""
    ordered = sorted(times)
    return tuple(
        at
        for before, at in zip([None, *ordered], ordered, strict=False)
        if before is None or at - before >= gap
    )


def by_person(items: Iterable[Interruption]) -> Mapping[str, tuple[Interruption, ...]]:
    """Return interruptions by person, earliest first."""
    grouped: dict[str, list[Interruption]] = {}
    for item in items:
        grouped.setdefault(item.user_id, []).append(item)
    return {user_id: tuple(found) for user_id, found in sorted(grouped.items())}


def _joined(item: Interruption, record_id: str) -> Interruption:
    return Interruption(
        item.user_id, item.at, item.incident_id, item.policy_id, (*item.record_ids, record_id)
    )


def _log_state(snapshot: AccountSnapshot) -> SectionState:
    try:
        return snapshot.section(SectionName.LOG_ENTRIES).state
    except KeyError:
        return SectionState.UNAVAILABLE
