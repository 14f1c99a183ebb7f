"""Who is on call over time: every minute of the window agrees with the entries themselves."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    Entry,
    Override,
    Rotation,
    Schedule,
    ScheduleKind,
    Target,
    TargetKind,
)
from calmo_pagerduty.snapshots.on_call import OnCallIndex, merge_shifts, shifts_of
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, level, schedule

WINDOW = Span(0, 30)
entries = st.lists(
    st.builds(
        lambda start, length, user_id: Entry(start, start + length, user_id),
        st.integers(-5, 32),
        st.integers(0, 12),
        st.sampled_from("abc"),
    ),
    max_size=8,
)


@given(entries)
@settings(max_examples=60)
def test_shifts_agree_with_the_entries_at_every_moment(some: list[Entry]) -> None:
    shifts = shifts_of(some, WINDOW)
    assert [shift.start for shift in shifts] == [0, *[shift.end for shift in shifts[:-1]]]
    assert shifts[-1].end == WINDOW.end
    for at in range(WINDOW.start, WINDOW.end):
        truth = sorted({entry.user_id for entry in some if entry.start <= at < entry.end})
        assert next(list(shift.user_ids) for shift in shifts if shift.start <= at < shift.end) == truth


@given(entries)
@settings(max_examples=40)
def test_order_and_duplicates_of_entries_change_nothing(some: list[Entry]) -> None:
    assert shifts_of([*reversed(some), *some], WINDOW) == shifts_of(some, WINDOW)


@given(entries, st.integers(1, 11))
@settings(max_examples=40)
def test_splitting_an_entry_changes_nothing(some: list[Entry], after: int) -> None:
    split = [
        piece
        for entry in some
        for piece in (
            replace(entry, end=min(entry.end, entry.start + after)),
            replace(entry, start=min(entry.end, entry.start + after)),
        )
    ]
    assert shifts_of(split, WINDOW) == shifts_of(some, WINDOW)


@given(entries, entries)
@settings(max_examples=40)
def test_merging_two_schedules_is_the_shifts_of_all_their_entries(
    left: list[Entry], right: list[Entry]
) -> None:
    merged = merge_shifts([shifts_of(left, WINDOW), shifts_of(right, WINDOW)], WINDOW)
    assert merged == shifts_of([*left, *right], WINDOW)


def test_a_person_on_a_level_is_always_on_call_and_a_schedule_only_in_its_shifts() -> None:
    index = OnCallIndex(account(schedules=(schedule("S1", (MONDAY, MONDAY + 8 * HOUR, "amy")),)))
    assert index.people_at(Target(TargetKind.USER, "bob"), MONDAY) == ("bob",)
    target = Target(TargetKind.SCHEDULE, "S1")
    assert index.people_at(target, MONDAY) == ("amy",)
    assert index.people_at(target, MONDAY + 8 * HOUR) == ()
    shifts = index.level_shifts(level("R1", 5, "S1"), Span(MONDAY - DAY, MONDAY + DAY))
    assert shifts is not None
    assert [(shift.end - shift.start, shift.user_ids) for shift in shifts] == [
        (DAY, ()),
        (8 * HOUR, ("amy",)),
        (16 * HOUR, ()),
    ]


@pytest.mark.parametrize("schedule_id", ["S1", "S-gone"])
def test_what_pagerduty_did_not_render_is_unknown_and_not_nobody(schedule_id: str) -> None:
    unread = replace(schedule("S1"), entries=None)
    index = OnCallIndex(account(schedules=(unread,)))
    assert index.people_at(Target(TargetKind.SCHEDULE, schedule_id), MONDAY) is None
    assert index.level_shifts(level("R1", 5, schedule_id, "amy"), Span(MONDAY, MONDAY + DAY)) is None


def test_outside_of_the_rendered_window_it_is_unknown_who_is_on_call() -> None:
    index = OnCallIndex(account(schedules=(schedule("S1", (MONDAY, MONDAY + 365 * DAY, "amy")),)))
    target = Target(TargetKind.SCHEDULE, "S1")
    assert index.people_at(target, MONDAY + 91 * DAY) == ("amy",)
    assert index.people_at(target, MONDAY + 92 * DAY) is None


def test_people_of_a_shadow_rotation_and_of_its_overrides_are_not_paged() -> None:
    shadowed = Schedule(
        "S1",
        "shifts",
        None,
        ScheduleKind.SHIFTS,
        "Etc/UTC",
        rotations=(Rotation("R1", "main", ()), Rotation("R2", "shadow", (), is_shadow=True)),
        overrides=(Override("O1", MONDAY, MONDAY + DAY, "dan", rotation_id="R2"),),
        entries=(
            Entry(MONDAY, MONDAY + DAY, "amy", "schedule_rotation:R1"),
            Entry(MONDAY, MONDAY + DAY, "cat", "schedule_rotation:R2"),
            Entry(MONDAY, MONDAY + DAY, "dan", "schedule_rotation_override:O1"),
        ),
    )
    index = OnCallIndex(account(schedules=(shadowed,)))
    assert index.people_at(Target(TargetKind.SCHEDULE, "S1"), MONDAY) == ("amy",)
