"""Which shift schedules a snapshot takes over from the one before, rendered further by us. Pure.

PagerDuty lists shift-based schedules as mere references: to read one takes two requests. So a daily snapshot
asks only who is on call: `GET /oncalls` tells for a hundred of them in two requests. A schedule whose
on-calls agree with what we rendered is continued; each other one is read.

What is read again: after a change that was made or reported, all; else what is new or renamed, what was last
read a week ago, what no policy uses (on-calls don't show it), and what our rendering could not be proved for.
An edit at PagerDuty that changes nobody's time before `agreed_until` shows after a week at the latest:
`Schedule.read_at` says how old each schedule is.

Source: PagerDuty's REST API, `GET /v3/schedules` (references), `GET /oncalls`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject, as_object
from calmo_pagerduty.snapshots.model import Entry, Policy, Schedule, ScheduleKind, TargetKind
from calmo_pagerduty.snapshots.on_call import paged_entries, shifts_of
from calmo_pagerduty.snapshots.parsing import parse_id, parse_time

#: A schedule, or a service's dependencies, that was read longer ago is read again: daily runs begin some
#: hours earlier or later.
MAX_AGE = timedelta(days=6, hours=12)
#: How far ahead on-calls are compared: as far as their rows fit into one page.
HORIZONS = tuple(timedelta(days=days) for days in (14, 10, 7, 5, 4, 3, 2, 1))
MAX_ROWS = 95
#: How many schedules one question is about: their ids stand in its address.
SCHEDULES_AT_ONCE = 50
#: On-calls begin when PagerDuty answers, so the first minutes aren't compared.
ANSWER_TIME = 120


class ContinueSchedule(Protocol):
    """Renders a schedule further.

    `rendered` is the window of its entries, `window` the one that is asked for. Returns None if our rendering
    does not equal PagerDuty's own entries.
    """

    def __call__(self, schedule: Schedule, rendered: Span, window: Span, /) -> Schedule | None: ...


@dataclass(frozen=True, slots=True)
class OnCallQuestion:
    """Whom to ask for: on-calls of these schedules on these policies, in this time."""

    policy_ids: tuple[str, ...]
    schedule_ids: tuple[str, ...]
    window: Span


def continuable(schedules: Iterable[Schedule], policies: Iterable[Policy], now: int) -> dict[str, Schedule]:
    """Return the schedules of the snapshot before that may be continued at `now`, by id."""
    used = {
        target.id
        for policy in policies
        for rule in policy.rules
        for target in rule.targets
        if target.kind is TargetKind.SCHEDULE
    }
    return {
        schedule.id: schedule
        for schedule in schedules
        if schedule.kind is ScheduleKind.SHIFTS
        and schedule.entries is not None
        and schedule.read_at is not None
        and now - schedule.read_at < MAX_AGE.total_seconds()
        and schedule.id in used
    }


def on_call_question(schedules: Sequence[Schedule], policies: Sequence[Policy], now: int) -> OnCallQuestion:
    """Return the question whose answer shows who is on call by each of the schedules, in few rows.

    Policies that page many of them come first, so that a schedule is told of once if possible.
    """
    by_id = {schedule.id: schedule for schedule in schedules}
    levels = {policy.id: _schedules_of(policy, by_id) for policy in policies}
    chosen: list[str] = []
    left = set(by_id)
    while left:
        best = _best(levels, left)
        if best is None:
            break
        chosen.append(best)
        left -= set(levels[best])
    told = [by_id[schedule_id] for policy_id in chosen for schedule_id in levels[policy_id]]
    return OnCallQuestion(tuple(chosen), tuple(sorted(by_id)), _horizon(told, now))


def _best(levels: Mapping[str, Sequence[str]], left: Collection[str]) -> str | None:
    """Return the policy that tells of most of the schedules that are left, in few rows; None if none does."""
    told = {
        policy_id: (len(set(left).intersection(ids)), -len(ids)) for policy_id, ids in sorted(levels.items())
    }
    best = max(told, key=lambda policy_id: told[policy_id], default=None)
    return best if best is not None and told[best][0] else None


def _schedules_of(policy: Policy, ids: Collection[str]) -> list[str]:
    return [target.id for rule in policy.rules for target in rule.targets if target.id in ids]


def _horizon(told: Sequence[Schedule], now: int) -> Span:
    """Return the longest time whose on-calls are few enough; the shortest if none is."""
    for horizon in HORIZONS:
        window = Span(now, now + int(horizon.total_seconds()))
        rows = sum(
            entry.start < window.end and entry.end > window.start
            for schedule in told
            for entry in schedule.entries or ()
        )
        if rows <= MAX_ROWS:
            break
    return window


def on_calls_by_schedule(rows: Iterable[JsonObject], window: Span) -> Mapping[str, tuple[Entry, ...]]:
    """Return who is on call by each schedule. The same time stands in a row for each policy and level."""
    found: dict[str, set[Entry]] = {}
    for row in rows:
        schedule_id, user_id = parse_id(as_object(row.get("schedule"))), parse_id(as_object(row.get("user")))
        start, end = parse_time(row.get("start")), parse_time(row.get("end"))
        if schedule_id is not None and user_id is not None:
            entry = Entry(
                window.start if start is None else start, window.end if end is None else end, user_id
            )
            found.setdefault(schedule_id, set()).add(entry)
    return {schedule_id: tuple(entries) for schedule_id, entries in found.items()}


def agrees(schedule: Schedule, on_calls: Iterable[Entry], window: Span) -> bool:
    """Tell whether PagerDuty has the same people on call at every second of the window."""
    compared = Span(window.start + ANSWER_TIME, window.end)
    ours = paged_entries(schedule)
    return ours is not None and shifts_of(ours, compared) == shifts_of(on_calls, compared)
