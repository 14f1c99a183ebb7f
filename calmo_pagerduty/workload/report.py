"""The workload of an account: hours, pages, limits and debts of everybody, past and forward. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload import interruptions as interrupting
from calmo_pagerduty.workload.debt import Ledger, ledger_of
from calmo_pagerduty.workload.hours import CalendarOf, PersonHours, no_holidays, person_hours
from calmo_pagerduty.workload.interruptions import Interruption
from calmo_pagerduty.workload.limits import PolicyLimits, policy_limits
from calmo_pagerduty.workload.pages import SchedulePages, judge_pages, pages_by_schedule
from calmo_pagerduty.workload.people import (
    OnCallTimes,
    Person,
    always_on_call,
    level_1_schedules,
    people_of,
)
from calmo_pagerduty.workload.pools import Pool, memberships, pool_of

#: Days of the past and of the future that a report looks at, as far as PagerDuty rendered them.
PAST_DAYS = 28
FORWARD_DAYS = 84

#: Whether a reader may see a person's figures, by PagerDuty's id of the user.
MaySee = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Period:
    """What people bear within a window. The future has no pages."""

    window: Span
    people: tuple[PersonHours, ...]
    pools: tuple[Pool, ...]
    pages: tuple[SchedulePages, ...] = ()
    #: Where log entries are known; None if they aren't.
    pages_window: Span | None = None
    #: Interruptions that came by a later level, by a direct assignment, or to somebody off call.
    other_interruptions: int | None = None


@dataclass(frozen=True, slots=True)
class WorkloadReport:
    """The workload at `now`, in epoch seconds (UTC)."""

    snapshot: AccountSnapshot
    now: int
    past: Period
    forward: Period
    policies: tuple[PolicyLimits, ...]
    ledger: Ledger
    #: Schedules that weren't rendered: their hours are unknown.
    unrendered: tuple[str, ...]
    #: Policies on which a person stands directly, day and night, by person; not part of the hours.
    always_on_call: dict[str, tuple[str, ...]]


def workload_report(
    snapshot: AccountSnapshot,
    now: int,
    *,
    past_days: int = PAST_DAYS,
    forward_days: int = FORWARD_DAYS,
    earlier: Sequence[AccountSnapshot] = (),
    calendar_of: CalendarOf = no_holidays,
) -> WorkloadReport:
    """Return what everybody bears. `earlier` snapshots carry debts over from before this one's past."""
    before, after = Span(now - past_days * DAY, now), Span(now, now + forward_days * DAY)
    past_times, forward_times = OnCallTimes(snapshot, before), OnCallTimes(snapshot, after)
    known = interrupting.known_window(snapshot, past_times.window)
    items = () if known is None else interrupting.interruptions(snapshot, known)
    people = _people(snapshot, (past_times, forward_times), items)
    return WorkloadReport(
        snapshot=snapshot,
        now=now,
        past=_past(snapshot, past_times, known, items, people, calendar_of),
        forward=_period(snapshot, forward_times, None, people, calendar_of),
        policies=policy_limits(snapshot, past_times, known),
        ledger=ledger_of((*earlier, snapshot), now),
        unrendered=tuple(schedule.id for schedule in past_times.unrendered),
        always_on_call=always_on_call(snapshot),
    )


def _past(
    snapshot: AccountSnapshot,
    times: OnCallTimes,
    known: Span | None,
    items: Sequence[Interruption],
    people: dict[str, Person],
    calendar_of: CalendarOf,
) -> Period:
    plain = _period(snapshot, times, None if known is None else items, people, calendar_of)
    if known is None:
        return plain
    found, others = pages_by_schedule(items, times, level_1_schedules(snapshot))
    first_levels = {key for keys in level_1_schedules(snapshot).values() for key in keys}
    return Period(
        window=plain.window,
        people=plain.people,
        pools=plain.pools,
        pages=tuple(
            judge_pages(schedule_id, found[schedule_id], times, known, people)
            for schedule_id in sorted(found)
            if schedule_id in first_levels
        ),
        pages_window=known,
        other_interruptions=len(others),
    )


def _period(
    snapshot: AccountSnapshot,
    times: OnCallTimes,
    items: Sequence[Interruption] | None,
    people: dict[str, Person],
    calendar_of: CalendarOf,
) -> Period:
    interrupted = None if items is None else interrupting.by_person(items)
    return Period(
        window=times.window,
        people=tuple(
            person_hours(
                person, times, None if interrupted is None else interrupted.get(user_id, ()), calendar_of
            )
            for user_id, person in people.items()
            if person.is_known or user_id in times.by_person
        ),
        pools=tuple(
            pool
            for schedule in sorted(snapshot.schedules, key=lambda schedule: schedule.id)
            if (pool := pool_of(schedule, times, people)) is not None
        ),
    )


def _people(
    snapshot: AccountSnapshot, both: tuple[OnCallTimes, OnCallTimes], items: Sequence[Interruption]
) -> dict[str, Person]:
    ids = {user_id for times in both for user_id in times.by_person}
    ids |= {item.user_id for item in items}
    for schedule in snapshot.schedules:
        for times in both:
            ids |= {member.user_id for member in memberships(schedule, times.window)}
    return people_of(snapshot, ids)
