"""Pay is exact to the second and the cent, follows the order of rules, and knows clock changes."""

import itertools
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.workload.calendars import calendar_of
from calmo_pagerduty.workload.hours import no_holidays
from calmo_pagerduty.workload.pay import BASE, HOLIDAY, PersonPay, pay_lines, pay_report
from calmo_pagerduty.workload.people import OnCallTimes, Person, people_of
from calmo_pagerduty.workload.rules import (
    HolidayRules,
    InvalidSettings,
    PayRules,
    WorkloadSettings,
    parse_settings,
)
from tests.support.rotas import NOW, WEEK, person
from tests.support.small_accounts import DAY, HOUR, account, schedule

LONDON = Person("U1", "Ada", ZoneInfo("Europe/London"), is_zone_known=True)
OFFICE = {"name": "office", "days": ("mon", "tue", "wed", "thu", "fri"), "start": "09:00", "end": "17:00"}


def rules(**fields: Any) -> PayRules:
    return PayRules.model_validate({"currency": "GBP", "base_rate": "10", **fields})


def total(pay_rules: PayRules, *spans: Span, who: Person = LONDON) -> Decimal:
    return PersonPay(who, pay_lines(spans, who, pay_rules, no_holidays)).amount


def week_from(day: date, zone: ZoneInfo) -> Span:
    from datetime import datetime, timedelta

    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    end = (start.replace(tzinfo=None) + timedelta(days=7)).replace(tzinfo=zone)
    return Span(int(start.timestamp()), int(end.timestamp()))


def test_a_week_at_ten_pounds_outside_of_office_hours_is_1280_and_1270_with_the_spring_change() -> None:
    unpaid = rules(weekly_rules=[OFFICE | {"rate": "0"}])
    assert total(unpaid, week_from(date(2026, 3, 16), LONDON.zone)) == Decimal("1280.00")
    assert total(unpaid, week_from(date(2026, 3, 23), LONDON.zone)) == Decimal("1270.00")
    assert total(unpaid, week_from(date(2026, 10, 19), LONDON.zone)) == Decimal("1290.00")


def test_the_first_weekly_rule_that_matches_wins() -> None:
    weekend = {"name": "weekend", "days": ("sat", "sun"), "rate": "20"}
    night = {"name": "night", "start": "22:00", "end": "08:00", "rate": "15"}
    week = week_from(date(2026, 3, 16), LONDON.zone)
    lines = pay_lines([week], LONDON, rules(weekly_rules=[weekend, night]), no_holidays)
    assert {line.rule: line.seconds // HOUR for line in lines} == {"weekend": 48, "night": 50, BASE: 70}
    turned = pay_lines([week], LONDON, rules(weekly_rules=[night, weekend]), no_holidays)
    assert {line.rule: line.seconds // HOUR for line in turned} == {"weekend": 28, "night": 70, BASE: 70}


def test_a_rule_that_goes_on_after_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = {"name": "friday", "days": ("fri",), "start": "18:00", "end": "06:00", "rate": "30"}
    week = week_from(date(2026, 3, 16), LONDON.zone)
    lines = pay_lines([week], LONDON, rules(weekly_rules=[friday_night]), no_holidays)
    assert {line.rule: line.seconds // HOUR for line in lines}["friday"] == 12


def test_one_off_rules_beat_holidays_which_beat_weekly_rules() -> None:
    paid = rules(
        weekly_rules=[OFFICE | {"rate": "1"}],
        holiday_rate="40",
        one_off_rules=[{"name": "launch", "start": "2026-12-25", "end": "2026-12-25", "rate": "99"}],
    )
    christmas = week_from(date(2026, 12, 21), LONDON.zone)
    calendar = calendar_of(HolidayRules(country="GB", subdivision="ENG"))
    lines = pay_lines([christmas], LONDON, paid, calendar)
    hours = {line.rule: line.seconds // HOUR for line in lines}
    # Boxing Day is a Saturday and a holiday; its substitute is in the next week.
    assert hours == {"launch": 24, HOLIDAY: 24, "office": 32, BASE: 88}
    assert [line.rule for line in lines] == ["launch", HOLIDAY, "office", BASE]


def test_two_schedules_at_once_are_paid_once_unless_the_rules_say_otherwise() -> None:
    snapshot = account(
        schedules=(schedule("S1", (NOW, NOW + DAY, "U1")), schedule("S2", (NOW, NOW + DAY, "U1"))),
        users=(person("U1"),),
    )
    times = OnCallTimes(snapshot, Span(NOW, NOW + WEEK))
    people = people_of(snapshot, {"U1"})
    once, twice = (
        pay_report(times, people, rules(pay_each_schedule=each), no_holidays).amount for each in (False, True)
    )
    assert (once, twice) == (Decimal("240.00"), Decimal("480.00"))
    only = rules(pay_each_schedule=True, schedule_ids=("S1",))
    assert pay_report(times, people, only, no_holidays).amount == Decimal("240.00")


@settings(max_examples=40)
@given(st.lists(st.integers(0, 14 * DAY), min_size=2, max_size=12))
def test_splitting_time_changes_no_second_and_the_sum_is_that_of_all_time(cuts: list[int]) -> None:
    start, *inner = sorted(cuts)
    ends = [NOW + start, *(NOW + cut for cut in inner)]
    spans = [Span(left, right) for left, right in itertools.pairwise(ends)]
    paid = rules(weekly_rules=[OFFICE | {"rate": "3.3333"}])
    whole = pay_lines([Span(ends[0], ends[-1])], LONDON, paid, no_holidays)
    assert pay_lines(spans, LONDON, paid, no_holidays) == whole
    assert sum(line.seconds for line in whole) == ends[-1] - ends[0]


@pytest.mark.parametrize(("currency", "amount"), [("GBP", "3.33"), ("JPY", "3"), ("KWD", "3.333")])
def test_amounts_have_the_currencys_smallest_unit(currency: str, amount: str) -> None:
    third = rules(currency=currency, base_rate="10")
    assert str(total(third, Span(NOW, NOW + 1200))) == amount


def test_settings_are_written_as_toml_or_json_with_exact_decimals() -> None:
    toml = """
    [pay]
    currency = "EUR"
    base_rate = 0.1
    [[pay.weekly_rules]]
    name = "night"
    start = "22:00"
    end = "08:00"
    rate = 12.50
    [holidays]
    country = "DE"
    subdivision = "BY"
    """
    parsed = parse_settings(toml)
    assert parsed.pay is not None
    assert parsed.pay.base_rate == Decimal("0.1")
    assert parse_settings(parsed.model_dump_json()) == parsed
    assert parse_settings("{}") == WorkloadSettings()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"pay": {"currency": "eur", "base_rate": 1}}', "pay.currency"),
        ('{"pay": {"currency": "EUR", "base_rate": -1}}', "pay.base_rate"),
        ('{"pay": {"currency": "EUR", "base_rate": 1, "bonus": 2}}', "pay.bonus"),
        ('{"pay": {"currency": "EUR", "base_rate": 1, "time_zone": "Mars/Olympus"}}', "time zone"),
        ('{"holidays": {"country": "XX"}}', "ISO 3166"),
        ('{"working_time": {"regular_start": "9:00"}}', "time of day"),
        ("[pay", "no TOML"),
        ("{" + "x" * 70_000, "longer than"),
    ],
)
def test_a_fault_in_the_settings_is_named(text: str, fault: str) -> None:
    with pytest.raises(InvalidSettings, match=fault):
        parse_settings(text)
