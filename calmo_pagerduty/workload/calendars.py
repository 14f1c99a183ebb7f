"""Finds the public holidays that count for a person. Pure."""

from collections.abc import Mapping
from datetime import date

from calmo_pagerduty.kernel.public_holidays import public_holidays
from calmo_pagerduty.workload.hours import CalendarOf
from calmo_pagerduty.workload.people import Person
from calmo_pagerduty.workload.rules import HolidayRules


def calendar_of(rules: HolidayRules) -> CalendarOf:
    """Return who has which holidays: by the person's zone if it is listed, else the country's; and the extra
    days.
    """

    def find(person: Person, first_year: int, last_year: int) -> Mapping[date, str]:
        place = _place(rules, person.zone.key)
        public = {} if place is None else public_holidays(*place, first_year, last_year)
        return {**public, **rules.extra}

    return find


def _place(rules: HolidayRules, zone: str) -> tuple[str, str | None] | None:
    named = rules.by_time_zone.get(zone)
    if named is not None:
        country, _, subdivision = named.partition("-")
        return country, subdivision or None
    return None if rules.country is None else (rules.country, rules.subdivision)
