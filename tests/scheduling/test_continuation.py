"""A schedule is continued only by a rendering that is PagerDuty's own, and says from when on it is ours."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.continuation import continue_schedule
from calmo_pagerduty.scheduling.proof import prove
from calmo_pagerduty.scheduling.rendering import render, render_holes
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    CustomShift,
    Override,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
)

DAY, WEEK = 86_400, 7 * 86_400
#: 2026-10-19 08:00 UTC, a Monday; the clock changes in the week after.
MONDAY = 1_792_396_800
#: The windows of two snapshots, a day apart.
BEFORE, AFTER = Span(MONDAY + 3600, MONDAY + 40 * DAY), Span(MONDAY + DAY, MONDAY + 41 * DAY)


def read_in(window: Span, *members: str | None, **changed: Any) -> Schedule:
    """Return a weekly rotation as PagerDuty renders it in the window."""
    event = RotationEvent(
        "E1", "Weekly", MONDAY, MONDAY + WEEK, "Europe/Berlin", MONDAY, None, ("RRULE:FREQ=WEEKLY",),
        AssignmentStrategy.ROTATING, 1, members,
    )  # fmt: skip
    schedule = Schedule(
        "S1", "Shop", None, ScheduleKind.SHIFTS, "Europe/Berlin", rotations=(Rotation("R1", "R1", (event,)),),
        rendered_coverage_percentage=100.0, read_at=window.start,
    )  # fmt: skip
    schedule = replace(schedule, **changed)
    entries, holes = render(schedule, window), render_holes(schedule, window)
    return replace(schedule, entries=entries, intended_holes=holes)


def test_it_is_what_pagerduty_would_render_a_day_later() -> None:
    extras = {
        "custom_shifts": (CustomShift("C1", MONDAY + 9 * DAY, MONDAY + 10 * DAY, "UC"),),
        "overrides": (Override("O1", MONDAY + 3 * DAY, MONDAY + 4 * DAY, "UB", "R1", None, "UA"),),
    }
    continued = continue_schedule(read_in(BEFORE, "UA", "UB", **extras), BEFORE, AFTER)
    truth = read_in(AFTER, "UA", "UB", **extras)
    assert continued is not None
    assert continued.entries == truth.entries
    assert (continued.continued_from, continued.read_at) == (BEFORE.end, BEFORE.start)
    assert continued.rendered_coverage_percentage is None
    assert truth.continued_from is None


def test_it_goes_on_for_days_and_only_pagerdutys_entries_prove_it() -> None:
    windows = [Span(BEFORE.start + day * DAY, BEFORE.end + day * DAY) for day in range(6)]
    schedule = read_in(BEFORE, "UA", "UB", None)
    for rendered, window in pairwise(windows):
        continued = continue_schedule(schedule, rendered, window)
        assert continued is not None
        schedule = continued
    truth = read_in(windows[-1], "UA", "UB", None)
    assert schedule.entries == truth.entries
    assert schedule.continued_from == BEFORE.end
    assert prove(schedule, windows[-1]).window.end == BEFORE.end


def test_what_our_rendering_does_not_reproduce_is_not_continued() -> None:
    schedule = read_in(BEFORE, "UA", "UB", None)
    first, *others = schedule.entries or ()
    for odd in (
        replace(schedule, entries=(replace(first, user_id="UX"), *others)),
        replace(schedule, entries=None),
        replace(schedule, intended_holes=()),
        replace(schedule, time_zone="Mars/Base"),
    ):
        assert continue_schedule(odd, BEFORE, AFTER) is None
    earlier = Span(BEFORE.start - DAY, AFTER.end)
    assert continue_schedule(schedule, BEFORE, earlier) is None
