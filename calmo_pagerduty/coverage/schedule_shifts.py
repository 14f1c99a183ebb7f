"""Who is on call by each schedule: now, next, and shift by shift in a window. Pure.

A person whom PagerDuty no longer has is nobody, as in `coverage.timelines`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.on_call import Shift


class ScheduleShifts(NamedTuple):
    """A schedule's shift of now and the next one with other people; `shifts` are those of the window.

    `is_known` is false if PagerDuty did not render the schedule, or not for now: then there are none.
    """

    schedule_id: str
    is_known: bool
    now: Shift | None
    next: Shift | None
    shifts: tuple[Shift, ...]


def schedule_shifts(timelines: Timelines, now: int) -> tuple[ScheduleShifts, ...]:
    """Return the shifts of all schedules, in the snapshot's order. `now` is in epoch seconds (UTC)."""
    return tuple(_of(timelines, schedule.id, now) for schedule in timelines.index.snapshot.schedules)


def _of(timelines: Timelines, schedule_id: str, now: int) -> ScheduleShifts:
    shifts = tuple(_joined(timelines, schedule_id))
    current = next((shift for shift in shifts if shift.start <= now < shift.end), None)
    upcoming = next((shift for shift in shifts if shift.start > now and shift.user_ids), None)
    within = tuple(_clipped(shifts, timelines.window))
    return ScheduleShifts(schedule_id, current is not None, current, upcoming, within)


def _joined(timelines: Timelines, schedule_id: str) -> Iterator[Shift]:
    """Yield the shifts without people who are gone; what then follows of the same people is one shift."""
    last: Shift | None = None
    for shift in timelines.index.schedule_shifts(schedule_id) or ():
        people = tuple(user_id for user_id in shift.user_ids if not timelines.is_gone(user_id))
        if last is not None and last.user_ids == people and last.end == shift.start:
            last = Shift(last.start, shift.end, people)
            continue
        if last is not None:
            yield last
        last = Shift(shift.start, shift.end, people)
    if last is not None:
        yield last


def _clipped(shifts: tuple[Shift, ...], window: Span) -> Iterator[Shift]:
    for shift in shifts:
        start, end = max(shift.start, window.start), min(shift.end, window.end)
        if start < end:
            yield Shift(start, end, shift.user_ids)
