"""What on-call hours are paid by rules: indicative, exact to the second. Pure.

Source: the order of rules is incident.io's pay report: one-off rules beat holidays, which beat weekly rules,
of which the first that matches wins; all other time has the base rate.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span, union
from calmo_pagerduty.kernel.local_bands import (
    DAY,
    HOUR,
    LocalPiece,
    local_date,
    split_at_local_times,
)
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.workload.hours import CalendarOf, HolidayCalendar
from calmo_pagerduty.workload.people import OnCallTimes, Person
from calmo_pagerduty.workload.rules import PayRules, WeeklyRule, seconds_of_day

BASE = "base rate"
HOLIDAY = "public holiday"
INDICATIVE_TEXT = "Indicative: it follows the configured rules, and no contract, tax or law."
#: Decimals of a currency's smallest unit, where it isn't two (ISO 4217).
DECIMALS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
    "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PayLine(NamedTuple):
    """Time of a person at one rate, because of one rule."""

    rule: str
    rate: Decimal
    seconds: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PersonPay:
    person: Person
    lines: tuple[PayLine, ...]

    @property
    def seconds(self) -> int:
        return sum(line.seconds for line in self.lines)

    @property
    def amount(self) -> Decimal:
        """The sum of the lines, each rounded to the currency's smallest unit."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class PayReport:
    """What everybody would be paid for a window. `seconds` that nobody is known for aren't part of it."""

    currency: str
    window: Span
    people: tuple[PersonPay, ...]

    @property
    def amount(self) -> Decimal:
        return sum((pay.amount for pay in self.people), Decimal(0))


def pay_report(
    times: OnCallTimes, people: Mapping[str, Person], rules: PayRules, calendar_of: CalendarOf
) -> PayReport:
    """Return the pay of everybody on call in the window of `times`, past or forward."""
    return PayReport(
        rules.currency,
        times.window,
        tuple(
            PersonPay(people[user_id], pay_lines(paid, people[user_id], rules, calendar_of))
            for user_id, paid in _paid_times(times, rules).items()
            if paid
        ),
    )


def pay_lines(
    paid: Iterable[Span], person: Person, rules: PayRules, calendar_of: CalendarOf
) -> tuple[PayLine, ...]:
    """Return a person's lines in the order of the rules. Seconds are exact, amounts rounded half to even."""
    zone = person.zone if rules.time_zone is None else time_zone(rules.time_zone) or person.zone
    seconds: dict[tuple[str, Decimal], int] = {}
    spans = list(paid)
    find = _rate_finder(rules, _calendar(spans, person, zone, calendar_of))
    for span in spans:
        for piece in split_at_local_times(span, zone, _cuts(rules)):
            key = find(piece)
            seconds[key] = seconds.get(key, 0) + piece.end - piece.start
    order = _rule_order(rules)
    unit = Decimal(1).scaleb(-DECIMALS.get(rules.currency, 2))
    return tuple(
        PayLine(rule, rate, paid_seconds, (rate * paid_seconds / HOUR).quantize(unit, ROUND_HALF_EVEN))
        for (rule, rate), paid_seconds in sorted(
            seconds.items(), key=lambda item: (order.index(item[0][0]), item[0])
        )
    )


def _rate_finder(rules: PayRules, calendar: HolidayCalendar) -> Callable[[LocalPiece], tuple[str, Decimal]]:
    def find(piece: LocalPiece) -> tuple[str, Decimal]:
        for one_off in rules.one_off_rules:
            if one_off.start <= piece.date <= one_off.end:
                return one_off.name, one_off.rate
        if rules.holiday_rate is not None and piece.date in calendar:
            return HOLIDAY, rules.holiday_rate
        for weekly in rules.weekly_rules:
            if _matches(weekly, piece):
                return weekly.name, weekly.rate
        return BASE, rules.base_rate

    return find


def _matches(rule: WeeklyRule, piece: LocalPiece) -> bool:
    start, end = seconds_of_day(rule.start), seconds_of_day(rule.end)
    today, yesterday = _WEEKDAYS[piece.weekday - 1], _WEEKDAYS[piece.weekday - 2]
    if start < end:
        return today in rule.days and start <= piece.time_of_day < end
    # It goes on after midnight: the morning belongs to the day before.
    return (today in rule.days and piece.time_of_day >= start) or (
        yesterday in rule.days and piece.time_of_day < end
    )


def _cuts(rules: PayRules) -> Sequence[int]:
    times = {seconds_of_day(clock) for rule in rules.weekly_rules for clock in (rule.start, rule.end)}
    return sorted(times - {0, DAY})


def _calendar(
    spans: Sequence[Span], person: Person, zone: ZoneInfo, calendar_of: CalendarOf
) -> HolidayCalendar:
    if not spans:
        return {}
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    return calendar_of(person, local_date(first, zone).year, local_date(last, zone).year)


def _paid_times(times: OnCallTimes, rules: PayRules) -> dict[str, list[Span]]:
    chosen = [
        held
        for schedule_id, held in sorted(times.by_schedule.items())
        if rules.schedule_ids is None or schedule_id in rules.schedule_ids
    ]
    ids = sorted({user_id for held in chosen for user_id in held})
    paid = {user_id: [span for held in chosen for span in held.get(user_id, ())] for user_id in ids}
    return paid if rules.pay_each_schedule else {user_id: union(spans) for user_id, spans in paid.items()}


def _rule_order(rules: PayRules) -> list[str]:
    one_off, weekly = ([rule.name for rule in part] for part in (rules.one_off_rules, rules.weekly_rules))
    return [*one_off, HOLIDAY, *weekly, BASE]
