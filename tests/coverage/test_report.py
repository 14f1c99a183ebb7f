"""Coverage by union of intervals: hand-computed cases, a minute-by-minute look, and laws that must hold."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.coverage.model import CoverageReport
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.kernel.intervals import Span, total_seconds
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Entry,
    IntendedHole,
    Rotation,
    ScheduleKind,
    Section,
    SectionName,
    SectionState,
    SupportHours,
)
from tests.support.chance import repeatable
from tests.support.coverage_worlds import DAY, HOUR, NOW, account, at, policy_of, schedule_of, service_of
from tests.support.snapshots import with_section

WEEK = ReportOptions(days=7)


def test_a_policys_gap_is_what_all_levels_leave_open() -> None:
    first = schedule_of("S1", (NOW, NOW + 2 * DAY, "UA"), (NOW + 3 * DAY, NOW + 7 * DAY, "UB"))
    second = schedule_of("S2", (NOW + HOUR, NOW + 2 * DAY + 6 * HOUR, "UC"))
    snapshot = account(
        schedules=(first, second),
        policies=(policy_of("P1", ["S1"], ["S2"]),),
        services=(service_of("V1", "P1"),),
    )
    report = coverage_report(snapshot, NOW, WEEK)
    (policy,) = report.policies
    assert [gap.span for gap in policy.gaps] == [Span(NOW + 2 * DAY + 6 * HOUR, NOW + 3 * DAY)]
    assert policy.first_level_gaps == (Span(NOW + 2 * DAY, NOW + 2 * DAY + 6 * HOUR),)
    assert policy.coverage.percentage == round(100 * (7 * 24 - 18) / (7 * 24), 3)
    (service,) = report.services
    assert service.gaps == (policy.gaps[0].span,)
    assert service.percentage == policy.coverage.percentage


def test_overlapping_entries_count_once() -> None:
    """Grafana's score adds durations, so two people at once hide a gap; a union does not."""
    schedule = schedule_of("S1", (NOW, NOW + DAY, "UA"), (NOW, NOW + DAY, "UB"))
    (result,) = coverage_report(account(schedules=(schedule,)), NOW, ReportOptions(days=2)).schedules
    assert result.coverage is not None
    assert result.coverage.percentage == 50.0


def test_a_person_on_a_level_is_always_on_call_also_beyond_what_is_rendered() -> None:
    snapshot = account(policies=(policy_of("P1", ["UA"]),), rendered_until=NOW + DAY)
    (policy,) = coverage_report(snapshot, NOW, WEEK).policies
    assert policy.coverage.percentage == 100.0
    assert not policy.gaps and not policy.coverage.unknown


def test_a_policy_without_levels_and_a_level_without_targets_are_gaps() -> None:
    snapshot = account(policies=(policy_of("P1"), policy_of("P2", [])))
    for policy in coverage_report(snapshot, NOW, WEEK).policies:
        assert [gap.span for gap in policy.gaps] == [Span(NOW, NOW + 7 * DAY)], "the 100 % gap is a gap"


def test_what_could_not_be_read_is_unknown_and_no_gap() -> None:
    snapshot = account(
        schedules=(schedule_of("S1", entries=None), schedule_of("S2", (NOW, NOW + DAY, "UA"))),
        policies=(policy_of("P1", ["S1"], ["S2"]), policy_of("P2", ["MISSING"])),
    )
    report = coverage_report(snapshot, NOW, WEEK)
    known, missing = report.policies
    assert not known.gaps
    assert known.coverage.unknown == (Span(NOW + DAY, NOW + 7 * DAY),)
    assert known.coverage.percentage == 100.0, "of what is known"
    assert missing.coverage.percentage is None
    assert report.schedules[0].coverage is None
    assert any("could not be rendered" in limit for limit in report.limits)


def test_what_lies_beyond_the_rendered_window_is_unknown() -> None:
    schedule = schedule_of("S1", (NOW, NOW + 2 * DAY, "UA"))
    snapshot = account(
        schedules=(schedule,), policies=(policy_of("P1", ["S1"]),), rendered_until=NOW + 3 * DAY
    )
    report = coverage_report(snapshot, NOW, WEEK)
    assert [gap.span for gap in report.policies[0].gaps] == [Span(NOW + 2 * DAY, NOW + 3 * DAY)]
    assert report.policies[0].coverage.unknown == (Span(NOW + 3 * DAY, NOW + 7 * DAY),)
    assert any("does not reach" in limit for limit in report.limits)


def test_a_deleted_person_covers_nothing_but_only_if_all_users_are_known() -> None:
    schedule = schedule_of("S1", (NOW, NOW + 7 * DAY, "UGONE"))
    snapshot = account(schedules=(schedule,), policies=(policy_of("P1", ["S1"]),), users=())
    assert coverage_report(snapshot, NOW, WEEK).policies[0].gaps
    partial = with_section(snapshot, Section(SectionName.USERS, SectionState.FORBIDDEN, NOW, 0, "403"))
    report = coverage_report(partial, NOW, WEEK)
    assert not report.policies[0].gaps
    assert "users are forbidden: 403" in report.limits


def test_shadows_watch_and_do_not_cover() -> None:
    schedule = schedule_of(
        "S1",
        kind=ScheduleKind.SHIFTS,
        rotations=(Rotation("RS", "Shadow", (), is_shadow=True),),
        entries=(Entry(NOW, NOW + 7 * DAY, "UA", "schedule_rotation:RS"),),
    )
    (result,) = coverage_report(account(schedules=(schedule,)), NOW, WEEK).schedules
    assert result.coverage is not None
    assert result.coverage.percentage == 0.0


def test_gaps_outside_of_support_hours_are_intended_and_do_not_count() -> None:
    office = SupportHours("Europe/London", (1, 2, 3, 4, 5), 9 * HOUR, 17 * HOUR)
    shifts = [(NOW + d * DAY + 10 * HOUR, NOW + d * DAY + 17 * HOUR, "UA") for d in range(5)]
    snapshot = account(
        schedules=(schedule_of("S1", *shifts),),
        policies=(policy_of("P1", ["S1"]),),
        services=(service_of("V1", "P1", support_hours=office),),
    )
    report = coverage_report(snapshot, NOW, WEEK)
    (service,) = report.services
    assert service.gaps == tuple(Span(NOW + d * DAY + 9 * HOUR, NOW + d * DAY + 10 * HOUR) for d in range(5))
    assert service.percentage == 87.5
    assert total_seconds(service.intended) == 7 * DAY - 5 * 8 * HOUR
    assert [gap.span for gap in report.policies[0].gaps] == list(service.gaps)


def test_an_unassigned_shift_is_an_intended_gap_only_if_all_schedules_of_the_policy_have_it() -> None:
    night = Span(NOW + 20 * HOUR, NOW + 30 * HOUR)
    day = (NOW, night.start, "UA"), (night.end, NOW + 2 * DAY, "UA")
    hole = (IntendedHole(*night, "schedule_rotation:R1"),)
    snapshot = account(
        schedules=(
            schedule_of("S1", *day, kind=ScheduleKind.SHIFTS, intended_holes=hole),
            schedule_of("S2", *day),
        ),
        policies=(policy_of("P1", ["S1"]), policy_of("P2", ["S1"], ["S2"])),
    )
    first, second = coverage_report(snapshot, NOW, ReportOptions(days=2)).policies
    assert not first.gaps
    assert first.intended == (night,)
    assert [gap.span for gap in second.gaps] == [night]


def test_objects_that_nothing_uses_are_named() -> None:
    snapshot = account(
        schedules=(schedule_of("S1"), schedule_of("S2")),
        policies=(policy_of("P1", ["S1"]), policy_of("P2", ["S1"])),
        services=(service_of("V1", "P1"), service_of("V2", None), service_of("V3", "PX")),
    )
    report = coverage_report(snapshot, NOW, WEEK)
    assert report.unused_schedule_ids == ("S2",)
    assert report.unused_policy_ids == ("P2",)
    assert report.service_ids_without_policy == ("V2", "V3")


@pytest.mark.parametrize("days", [0, 91])
def test_the_window_is_one_to_ninety_days(days: int) -> None:
    with pytest.raises(ValueError, match="1 to 90 days"):
        coverage_report(account(), NOW, ReportOptions(days=days))


ZONES = [
    ("Europe/London", "2026-03-28 00:00"),
    ("America/New_York", "2026-10-31 00:00"),
    ("Australia/Lord_Howe", "2026-04-04 00:00"),
    ("Australia/Lord_Howe", "2026-10-03 00:00"),
    ("Pacific/Apia", "2011-12-29 00:00"),
    ("Asia/Kathmandu", "2026-06-01 00:00"),
]


@pytest.mark.parametrize(("zone", "start"), ZONES, ids=[f"{zone} {start[:10]}" for zone, start in ZONES])
def test_coverage_equals_a_look_at_every_minute_across_clock_changes(zone: str, start: str) -> None:
    now = at(start, zone)
    rng = repeatable(zone + start)
    for _ in range(4):
        snapshot = _random_account(rng, zone, now)
        report = coverage_report(snapshot, now, ReportOptions(days=3))
        for policy, service in zip(report.policies, report.services, strict=True):
            expected = _minutes_of_gap(snapshot, policy.policy_id, service.service_id, now, 3 * DAY)
            assert _minutes(service.gaps, now, 3 * DAY) == expected
            assert _minutes([gap.span for gap in policy.gaps], now, 3 * DAY) == expected


def _random_account(rng: random.Random, zone: str, now: int) -> AccountSnapshot:
    schedules = tuple(
        schedule_of(
            f"S{number}",
            *(
                (
                    start := now + rng.randrange(-300, 4200) * 60,
                    start + rng.randrange(10, 900) * 60,
                    f"U{user}",
                )
                for user in range(rng.randrange(1, 7))
            ),
            time_zone=zone,
        )
        for number in range(3)
    )
    hours = SupportHours(
        zone,
        tuple(sorted(rng.sample(range(1, 8), rng.randrange(1, 8)))),
        rng.randrange(0, 24) * HOUR,
        rng.randrange(0, 24) * HOUR + 1800,
    )
    return account(
        schedules=schedules,
        policies=(policy_of("P1", ["S0"], ["S1", "S2"]), policy_of("P2", ["S1"])),
        services=(service_of("V1", "P1", support_hours=hours), service_of("V2", "P2")),
        rendered_since=now - 35 * DAY,
        rendered_until=now + 92 * DAY,
    )


def _minutes_of_gap(
    snapshot: AccountSnapshot, policy_id: str, service_id: str, now: int, length: int
) -> set[int]:
    """The minutes in which nobody is on call and somebody should be, looked at one by one."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    policy = next(policy for policy in snapshot.policies if policy.id == policy_id)
    service = next(service for service in snapshot.services if service.id == service_id)
    ids = {target.id for rule in policy.rules for target in rule.targets}
    entries = [e for schedule in snapshot.schedules if schedule.id in ids for e in schedule.entries or ()]
    gaps = set()
    for moment in range(now, now + length, 60):
        hours = service.support_hours
        needed = True
        if hours is not None:
            local = datetime.fromtimestamp(moment, ZoneInfo(hours.time_zone))
            second = local.hour * HOUR + local.minute * 60
            today, yesterday = local.isoweekday(), (local.isoweekday() - 2) % 7 + 1
            if hours.start_time < hours.end_time:
                needed = today in hours.days_of_week and hours.start_time <= second < hours.end_time
            else:
                needed = (today in hours.days_of_week and second >= hours.start_time) or (
                    yesterday in hours.days_of_week and second < hours.end_time
                )
        if needed and not any(entry.start <= moment < entry.end for entry in entries):
            gaps.add(moment)
    return gaps


def _minutes(spans: Any, now: int, length: int) -> set[int]:
    return {m for m in range(now, now + length, 60) if any(start <= m < end for start, end in spans)}


ENTRIES = st.lists(
    st.tuples(st.integers(-20, 180), st.integers(1, 60), st.sampled_from(["UA", "UB", "UC"])), max_size=8
)


@given(ENTRIES, ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_duplicates_and_splitting_change_nothing(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]], rng: random.Random
) -> None:
    snapshot = _account_of(first, second)
    report = coverage_report(snapshot, NOW, WEEK)
    for coverage in (s.coverage for s in report.schedules):
        assert coverage is not None
        assert total_seconds(coverage.covered) + total_seconds(coverage.gaps) == 7 * DAY
    shuffled = []
    for schedule in snapshot.schedules:
        entries = list(schedule.entries or ())
        entries += entries[:2]
        halves = [
            part
            for e in entries
            for part in (replace(e, end=(e.start + e.end) // 2), replace(e, start=(e.start + e.end) // 2))
        ]
        rng.shuffle(halves)
        shuffled.append(replace(schedule, entries=tuple(halves)))
    again = coverage_report(replace(snapshot, schedules=tuple(shuffled)), NOW, WEEK)
    assert _essence(again) == _essence(report)


@given(ENTRIES, st.integers(-20, 180), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_another_entry_never_lowers_coverage(
    entries: list[tuple[int, int, str]], start: int, hours: int
) -> None:
    before = coverage_report(_account_of(entries, []), NOW, WEEK).policies[0].coverage
    after = coverage_report(_account_of([*entries, (start, hours, "UD")], []), NOW, WEEK).policies[0].coverage
    assert total_seconds(after.gaps) <= total_seconds(before.gaps)


def test_other_names_of_people_and_a_shift_of_all_times_change_nothing_else() -> None:
    entries = [(0, 30, "UA"), (40, 20, "UB"), (100, 10, "UA")]
    report = coverage_report(_account_of(entries, []), NOW, WEEK)
    relabelled = coverage_report(_account_of([(s, h, f"{u}X") for s, h, u in entries], []), NOW, WEEK)
    assert _essence(relabelled) == _essence(report)
    later = coverage_report(_account_of(entries, [], NOW + 5 * DAY), NOW + 5 * DAY, WEEK)
    moved = [Span(gap.span.start - 5 * DAY, gap.span.end - 5 * DAY) for gap in later.policies[0].gaps]
    assert moved == [gap.span for gap in report.policies[0].gaps]


def _account_of(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]], now: int = NOW
) -> AccountSnapshot:
    def entries(hours: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        return [(now + start * HOUR, now + (start + length) * HOUR, user) for start, length, user in hours]

    return account(
        schedules=(schedule_of("S1", *entries(first)), schedule_of("S2", *entries(second))),
        policies=(policy_of("P1", ["S1"], ["S2"]),),
        services=(service_of("V1", "P1"),),
        rendered_since=now - 35 * DAY,
        rendered_until=now + 92 * DAY,
    )


def _essence(report: CoverageReport) -> object:
    return (
        [(s.coverage, [gap.span for gap in s.gaps]) for s in report.schedules],
        [(p.coverage, [gap.span for gap in p.gaps], p.first_level_gaps) for p in report.policies],
        [(s.gaps, s.percentage) for s in report.services],
    )
