"""Pages that webhooks tell of: who was assigned when, and whom PagerDuty notified of it by their rules. Pure.

PagerDuty sends no webhook for a notification, and its log is read with the snapshot. Between two snapshots
the events of incidents say who was assigned, from when until when; the newest snapshot knows the person's
rules. So a rough night is known while it goes on. The next snapshot's log replaces what is concluded here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    LogKind,
    LogRecord,
    Section,
    SectionName,
    SectionState,
    Urgency,
    User,
)
from calmo_pagerduty.snapshots.notification_rules import rules_of
from calmo_pagerduty.workload.interruptions import is_known

#: PagerDuty notifies the assignees anew after these, and nobody any more after those.
BEGINS = frozenset(
    {
        EventType.TRIGGERED,
        EventType.ESCALATED,
        EventType.REASSIGNED,
        EventType.DELEGATED,
        EventType.UNACKNOWLEDGED,
        EventType.REOPENED,
    }
)
ENDS = frozenset({EventType.ACKNOWLEDGED, EventType.RESOLVED})
MINUTE = 60


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event of an incident, as a webhook told it. `at` is epoch seconds (UTC)."""

    event_id: str
    incident_id: str
    event_type: EventType
    at: int
    assignee_ids: tuple[str, ...]
    urgency: Urgency | None
    policy_id: str | None


def with_told_pages(snapshot: AccountSnapshot, events: Iterable[ToldEvent], now: int) -> AccountSnapshot:
    """Return the snapshot with the notifications that events tell of, since its log was read until `now`.

    A snapshot without a log gets one that begins with the first event.
    """
    log = next((item for item in snapshot.sections if item.name is SectionName.LOG_ENTRIES), None)
    known_until = log.fetched_at if log is not None and is_known(snapshot) else 0
    told = sorted(events, key=lambda event: (event.incident_id, event.at, event.event_id))
    users = {user.id: user for user in snapshot.users}
    records = [
        record
        for _, group in groupby(told, key=lambda event: event.incident_id)
        for record in _records(tuple(group), users, now)
        if record.at > known_until
    ]
    if not records:
        return snapshot
    others = tuple(item for item in snapshot.sections if item.name is not SectionName.LOG_ENTRIES)
    return replace(
        snapshot,
        log_records=(*snapshot.log_records, *records),
        sections=(*others, _section(log if known_until else None, records, now)),
    )


def _section(log: Section | None, records: list[LogRecord], now: int) -> Section:
    if log is not None:
        return replace(log, fetched_at=now, count=log.count + len(records))
    since = min(record.at for record in records)
    why = "concluded from webhooks and notification rules"
    return Section(SectionName.LOG_ENTRIES, SectionState.PARTIAL, now, len(records), why, since)


def _records(events: tuple[ToldEvent, ...], users: dict[str, User], now: int) -> Iterator[LogRecord]:
    """Yield the notifications of an incident: of each assignment, until the next event of a page's life."""
    lives = [event for event in events if event.event_type in BEGINS | ENDS]
    ends = [*(event.at for event in lives[1:]), now]
    for event, end in zip(lives, ends, strict=True):
        if event.event_type not in BEGINS:
            continue
        for user_id in event.assignee_ids:
            for minutes, channel in _pages(users.get(user_id), event.urgency or Urgency.HIGH):
                at = event.at + minutes * MINUTE
                if at <= end and (at < end or minutes == 0):
                    yield LogRecord(
                        id=f"{event.event_id}:{user_id}:{minutes}:{channel}",
                        incident_id=event.incident_id,
                        at=at,
                        kind=LogKind.NOTIFY,
                        user_ids=(user_id,),
                        channel=channel,
                        policy_id=event.policy_id,
                    )


def _pages(user: User | None, urgency: Urgency) -> tuple[tuple[int, ContactKind], ...]:
    """Return after how many minutes the person is notified, and how; at once if the rules are unknown."""
    rules = None if user is None else rules_of(user, urgency)
    if rules is None:
        return ((0, ContactKind.PUSH),)
    return tuple(
        (reach.rule.delay_minutes, reach.method.kind if reach.method is not None else ContactKind.PUSH)
        for reach in rules
        if reach.is_usable is not False
    )
