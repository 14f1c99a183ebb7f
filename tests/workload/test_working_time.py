"""The working-time check names the periods without rest, and says when it can't tell the average."""

from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.workload.hours import no_holidays
from calmo_pagerduty.workload.interruptions import Interruption
from calmo_pagerduty.workload.people import OnCallTimes, Person, people_of
from calmo_pagerduty.workload.rules import WorkingTimeRules
from calmo_pagerduty.workload.working_time import (
    Limit,
    check_working_time,
    daily_rest_breaches,
    weekly_rest_breaches,
    whole_weeks,
)
from tests.support.rotas import NOW, WEEK, paged_account, person, rota
from tests.support.small_accounts import DAY, HOUR, account, schedule

ADA = Person("U1", "Ada", ZoneInfo("Etc/UTC"), is_zone_known=True)


def office_week(begin: int = NOW) -> list[Span]:
    return [Span(begin + day * DAY + 9 * HOUR, begin + day * DAY + 17 * HOUR) for day in range(5)]


def breaches(rules: WorkingTimeRules, calls: tuple[int, ...] = (), weeks: int = 1) -> list[Limit]:
    snapshot = account(schedules=(schedule("S1", (NOW, NOW + weeks * WEEK, "U1")),), users=(person("U1"),))
    interrupted = {"U1": [Interruption("U1", at, "I1", None, ()) for at in calls]}
    (checked,) = check_working_time(
        OnCallTimes(snapshot, Span(NOW, NOW + weeks * WEEK)),
        people_of(snapshot, {"U1"}),
        interrupted,
        rules,
        no_holidays,
    )
    return [breach.limit for breach in checked.breaches]


def test_office_hours_alone_keep_all_limits() -> None:
    window = Span(NOW, NOW + WEEK)
    assert daily_rest_breaches(office_week(), window, 11) == ()
    assert weekly_rest_breaches(office_week(), ADA, window, 35) == ()


def test_a_call_at_three_in_the_night_leaves_no_eleven_hours_of_rest() -> None:
    worked = sorted([*office_week(), Span(NOW + 27 * HOUR, NOW + 28 * HOUR)])
    (breach,) = daily_rest_breaches(worked, Span(NOW, NOW + WEEK), 11)
    assert (breach.span.start - NOW) // HOUR == 9
    assert breach.found == 10


def test_work_on_saturday_noon_and_sunday_noon_leaves_no_weekly_rest() -> None:
    extra = [Span(NOW + day * DAY + 12 * HOUR, NOW + day * DAY + 13 * HOUR) for day in (5, 6)]
    (breach,) = weekly_rest_breaches([*office_week(), *extra], ADA, Span(NOW, NOW + WEEK), 35)
    assert breach.found == 23


def test_whether_stand_by_is_work_decides() -> None:
    stand_by = WorkingTimeRules(stand_by_is_work=True)
    assert set(breaches(stand_by)) == {Limit.DAILY_REST, Limit.WEEKLY_REST, Limit.AVERAGE_HOURS}
    assert breaches(WorkingTimeRules()) == []
    assert breaches(WorkingTimeRules(), calls=(NOW + 27 * HOUR,)) == [Limit.DAILY_REST]


def test_an_average_over_fewer_weeks_than_the_template_is_said_to_be_inconclusive() -> None:
    snapshot = paged_account(rota("S1", ["U1", "U2"]), [])
    people = people_of(snapshot, {"U1", "U2"})
    for weeks, conclusive in ((3, False), (17, True)):
        window = Span(NOW - 5 * WEEK, NOW - 5 * WEEK + weeks * WEEK)
        checked = check_working_time(
            OnCallTimes(snapshot, window), people, None, WorkingTimeRules(), no_holidays
        )
        assert {item.is_average_conclusive for item in checked} == {conclusive}
        assert {item.weeks for item in checked} == {weeks}
        assert {item.average_hours for item in checked} == {40.0}


def test_a_holiday_is_no_contractual_work() -> None:
    snapshot = account(schedules=(schedule("S1", (NOW, NOW + WEEK, "U1")),), users=(person("U1"),))
    from datetime import date

    (checked,) = check_working_time(
        OnCallTimes(snapshot, Span(NOW, NOW + WEEK)),
        people_of(snapshot, {"U1"}),
        None,
        WorkingTimeRules(),
        lambda _person, _first, _last: {date(2026, 10, 6): "A feast"},
    )
    assert checked.average_hours == 32


def test_a_week_with_a_clock_change_is_a_whole_week() -> None:
    london = Person("U1", "Ada", ZoneInfo("Europe/London"), is_zone_known=True)
    # From Sunday 4 October 23:00 UTC, which is Monday 00:00 in London, to 1 November.
    weeks = whole_weeks(london, Span(NOW - HOUR, NOW + 4 * WEEK))
    assert [week.seconds // HOUR for week in weeks] == [168, 168, 169, 168]
