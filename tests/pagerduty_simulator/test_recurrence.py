"""Recurring events begin when RFC 5545 says: its own examples, as lists of days."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pagerduty_simulator.recurrence import occurrences

NEW_YORK = ZoneInfo("America/New_York")
# Most of the RFC's examples begin on Tuesday, 2 September 1997 at nine.
FIRST = datetime(1997, 9, 2, 9)  # noqa: DTZ001 - local times have no zone


def days(rule: str, *more: str, first: datetime = FIRST, until: str = "19980201") -> list[str]:
    before = datetime.strptime(until, "%Y%m%d")  # noqa: DTZ007 - local times have no zone
    found = occurrences((f"RRULE:{rule}", *more), first, before, NEW_YORK)
    assert {at.time() for at in found} == {first.time()}
    return [f"{at:%m-%d}" for at in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=4", "09-02 09-03 09-04 09-05"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "09-02 09-12 09-22 10-02 10-12"),
        ("FREQ=WEEKLY;COUNT=5", "09-02 09-09 09-16 09-23 09-30"),
        ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
         "09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;BYDAY=TU,TH", "09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=2,15", "09-02 09-15 10-02"),
        ("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "09-30 10-01 10-31 11-01"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU", "09-02 09-09 09-16"),
    ],
)  # fmt: skip
def test_an_rfc_example_falls_on_its_days(rule: str, expected: str) -> None:
    assert days(rule) == expected.split()


def test_ordinals_count_weekdays_from_both_ends_of_the_month() -> None:
    friday = datetime(1997, 9, 5, 9)  # noqa: DTZ001 - local times have no zone
    assert days("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", first=friday) == ["09-05", "10-03", "11-07", "12-05"]
    monday = datetime(1997, 9, 22, 9)  # noqa: DTZ001 - local times have no zone
    assert days("FREQ=MONTHLY;COUNT=4;BYDAY=-2MO", first=monday) == ["09-22", "10-20", "11-17", "12-22"]


def test_a_month_without_the_day_is_left_out() -> None:
    first = datetime(2026, 1, 31, 9)  # noqa: DTZ001 - local times have no zone
    assert days("FREQ=MONTHLY;COUNT=3", first=first, until="20270101") == ["01-31", "03-31", "05-31"]


def test_dates_are_added_and_removed() -> None:
    more = ("EXDATE;TZID=America/New_York:19970903T090000,19970904T090000", "RDATE:19970920T130000Z")
    assert days("FREQ=DAILY;COUNT=4", *more) == ["09-02", "09-05", "09-20"]


def test_hours_follow_each_other() -> None:
    before = datetime(1997, 9, 3)  # noqa: DTZ001 - local times have no zone
    found = occurrences(("RRULE:FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",), FIRST, before, NEW_YORK)
    assert [at.hour for at in found] == [9, 12, 15]


def test_without_a_rule_there_is_one_shift() -> None:
    assert occurrences((), FIRST, datetime(1997, 9, 3), NEW_YORK) == [FIRST]  # noqa: DTZ001 - local times have no zone


@pytest.mark.parametrize("rule", ["FREQ=YEARLY", "FREQ=WEEKLY;BYDAY=XX", "COUNT=3"])
def test_what_is_not_known_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="known"):
        occurrences((f"RRULE:{rule}",), FIRST, datetime(1998, 1, 1), NEW_YORK)  # noqa: DTZ001 - local times have no zone
