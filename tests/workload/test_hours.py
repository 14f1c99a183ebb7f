"""Hours of people are counted in their own zones, once each, past and forward."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import Band
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    ContactKind,
    Entry,
    Rotation,
    RotationEvent,
    Section,
    SectionName,
    SectionState,
)
from calmo_pagerduty.workload.hours import count_nights, night_of, person_hours
from calmo_pagerduty.workload.interruptions import burst_begins, bursts, interruptions
from calmo_pagerduty.workload.people import OnCallTimes, people_of
from calmo_pagerduty.workload.report import workload_report
from tests.support.rotas import NOW, WEEK, page, paged_account, person, rota
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, level, policy, schedule

FIRST_WEEK = Span(NOW, NOW + WEEK)


def test_a_week_on_call_has_the_bands_nights_and_weekend_of_the_persons_zone() -> None:
    snapshot = account(schedules=(schedule("S1", (NOW, NOW + WEEK, "U1")),), users=(person("U1"),))
    hours = person_hours(people_of(snapshot, {"U1"})["U1"], OnCallTimes(snapshot, FIRST_WEEK), None)
    assert hours.seconds == WEEK
    in_hours = {band: seconds // HOUR for band, seconds in hours.by_band.items()}
    assert in_hours == {Band.BUSINESS: 50, Band.OFF: 48, Band.SLEEP: 70}
    # The first night began before the shift, and the last goes on after it: eight, two in part.
    assert hours.nights == 8
    assert hours.weekend_seconds == 2 * DAY
    assert hours.weekend_days == 2


def test_the_same_hours_are_night_for_a_person_and_day_for_another() -> None:
    begin, end = NOW + 22 * HOUR, NOW + 30 * HOUR
    snapshot = account(
        schedules=(schedule("S1", (begin, end, "U1")), schedule("S2", (begin, end, "U2"))),
        users=(person("U1", "Etc/UTC"), person("U2", "Australia/Sydney")),
    )
    times, people = OnCallTimes(snapshot, FIRST_WEEK), people_of(snapshot, {"U1", "U2"})
    bands = {key: person_hours(people[key], times, None).by_band for key in people}
    assert bands["U1"][Band.SLEEP] == 8 * HOUR
    # Sydney changed to summer time the day before: 22:00 UTC on Monday is 09:00 on Tuesday.
    assert bands["U2"][Band.BUSINESS] == 8 * HOUR


def test_two_schedules_at_once_count_once_and_are_double_duty() -> None:
    snapshot = account(
        schedules=(
            schedule("S1", (NOW, NOW + DAY, "U1")),
            schedule("S2", (NOW + 20 * HOUR, NOW + 2 * DAY, "U1")),
        ),
        users=(person("U1"),),
    )
    hours = person_hours(people_of(snapshot, {"U1"})["U1"], OnCallTimes(snapshot, FIRST_WEEK), None)
    assert hours.seconds == 2 * DAY
    assert hours.double_duty_seconds == 4 * HOUR


def test_a_shadow_rotation_is_no_work() -> None:
    event = RotationEvent(
        "E1", "Shadow", NOW, NOW + DAY, "Etc/UTC", NOW, None, (), AssignmentStrategy.ROTATING, 1, ("U2",)
    )
    shadowed = replace(
        schedule("S1", (NOW, NOW + DAY, "U1")),
        rotations=(Rotation("R1", "Shadow", (event,), is_shadow=True),),
        entries=(
            Entry(NOW, NOW + DAY, "U1", "schedule_rotation:R0"),
            Entry(NOW, NOW + DAY, "U2", "schedule_rotation:R1"),
        ),
    )
    report = workload_report(account(schedules=(shadowed,), users=(person("U1"), person("U2"))), NOW)
    assert [hours.person.user_id for hours in report.forward.people] == ["U1"]


def test_a_holiday_counts_in_the_persons_calendar() -> None:
    snapshot = account(schedules=(schedule("S1", (NOW, NOW + WEEK, "U1")),), users=(person("U1"),))
    hours = person_hours(
        people_of(snapshot, {"U1"})["U1"],
        OnCallTimes(snapshot, FIRST_WEEK),
        None,
        lambda _person, _first, _last: {date(2026, 10, 7): "A feast"},
    )
    assert hours.holiday_seconds == DAY
    assert hours.holidays == ("2026-10-07 A feast",)


@pytest.mark.parametrize("zone", ["Europe/London", "Australia/Lord_Howe", "America/New_York"])
def test_a_night_belongs_to_its_morning(zone: str) -> None:
    local = ZoneInfo(zone)
    evening = int(MONDAY + 22 * HOUR)
    begin = next(at for at in range(evening - DAY, evening + DAY, HOUR // 2) if _reads(at, local, "22:00"))
    assert {night_of(at, local) for at in range(begin, begin + 10 * HOUR, 600)} == {night_of(begin, local)}
    assert count_nights([Span(begin, begin + 34 * HOUR)], local) == 2


def _reads(at: int, zone: ZoneInfo, clock: str) -> bool:
    from datetime import datetime

    return f"{datetime.fromtimestamp(at, zone):%H:%M}" == clock


def test_notifications_within_a_minute_of_the_first_are_one_interruption_and_email_is_none() -> None:
    records = (
        page("U1", NOW, "I1", ContactKind.PUSH),
        page("U1", NOW + 59, "I1", ContactKind.SMS),
        # A chain would join it to the second; it is 60 s after the first.
        page("U1", NOW + 60, "I1", ContactKind.PHONE),
        page("U1", NOW + 600, "I1", ContactKind.EMAIL),
        page("U2", NOW + 10, "I1", ContactKind.PHONE),
    )
    found = interruptions(account(log_records=records), FIRST_WEEK)
    assert [(item.user_id, item.at - NOW, len(item.record_ids)) for item in found] == [
        ("U1", 0, 2),
        ("U2", 10, 1),
        ("U1", 60, 1),
    ]


def test_a_log_entry_that_comes_twice_counts_once() -> None:
    records = (page("U1", NOW, "I1"), page("U1", NOW, "I1"))
    assert [len(item.record_ids) for item in interruptions(account(log_records=records), FIRST_WEEK)] == [1]


def test_a_burst_goes_on_as_long_as_less_than_two_hours_pass() -> None:
    times = [0, 10, 7209, 14_409, 16_000]
    assert bursts(times) == (3, 2)
    assert burst_begins(times) == (0, 14_409)


def test_without_log_entries_interruptions_are_unknown_and_not_zero() -> None:
    snapshot = paged_account(rota("S1", ["U1", "U2", "U3"]), [])
    hidden = replace(
        snapshot,
        sections=tuple(
            Section(section.name, SectionState.FORBIDDEN, NOW, 0)
            if section.name is SectionName.LOG_ENTRIES
            else section
            for section in snapshot.sections
        ),
    )
    assert {hours.interruptions for hours in workload_report(hidden, NOW).past.people} == {None}
    assert {hours.interruptions for hours in workload_report(snapshot, NOW).past.people} == {0}
    assert {hours.interruptions for hours in workload_report(snapshot, NOW).forward.people} == {None}


def test_a_person_on_a_policy_itself_is_named_apart() -> None:
    snapshot = account(policies=(policy(level("R1", 30, "U1")),), users=(person("U1"),))
    report = workload_report(snapshot, NOW)
    assert report.always_on_call == {"U1": ("P1",)}
    assert report.forward.people == ()


def test_an_unknown_zone_is_said_and_counted_as_utc() -> None:
    shifts = schedule("S1", (NOW, NOW + DAY, "U1"))
    snapshot = replace(account(schedules=(shifts,), users=(person("U1", None),)), time_zone=None)
    (hours,) = workload_report(snapshot, NOW).forward.people
    assert hours.person.is_zone_known is False
