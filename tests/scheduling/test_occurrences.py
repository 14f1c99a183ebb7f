"""Recurrence rules: the examples of RFC 5545 §3.8.5.3, all of which begin in America/New_York."""

# ruff: noqa: DTZ001 (local times have no zone)

from datetime import datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.scheduling.occurrences import (
    RuleNotUnderstood,
    expand,
    occurrences,
    to_epoch,
    to_local,
)

NEW_YORK = ZoneInfo("America/New_York")
FIRST = datetime(1997, 9, 2, 9)

#: Rule, its first occurrences as the RFC lists them (month-day of 1997, or year-month-day; at 09:00 if
#: nothing is said), and the number of occurrences if the rule ends.
EXAMPLES: tuple[tuple[str, str, int | None], ...] = (
    ("FREQ=DAILY;COUNT=10", "9-2 9-3 9-4 9-5 9-6 9-7 9-8 9-9 9-10 9-11", 10),
    ("FREQ=DAILY;UNTIL=19971224T000000Z", "9-2 9-3 9-4", 113),
    ("FREQ=DAILY;INTERVAL=2", "9-2 9-4 9-6 9-8", None),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", "9-2 9-12 9-22 10-2 10-12", 5),
    ("FREQ=WEEKLY;COUNT=10", "9-2 9-9 9-16 9-23 9-30 10-7 10-14 10-21 10-28 11-4", 10),
    ("FREQ=WEEKLY;UNTIL=19971224T000000Z", "9-2 9-9 9-16", 17),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "9-2 9-16 9-30 10-14 10-28 11-11 11-25", None),
    ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "9-2 9-4 9-9 9-11 9-16 9-18", 10),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "9-2 9-4 9-9 9-11 9-16 9-18 9-23 9-25 9-30 10-2", 10),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "9-2 9-4 9-16 9-18 9-30 10-2 10-14 10-16", 8),
    ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "9-7 9-28 11-2 11-30 1998-1-4 1998-1-25", 10),
    ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "9-22 10-20 11-17 12-22 1998-1-19 1998-2-16", 6),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "9-28 10-29 11-28 12-29 1998-1-29 1998-2-26", None),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "9-2 9-15 10-2 10-15 11-2 11-15 12-2 12-15", 10),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "9-30 10-1 10-31 11-1 11-30 12-1 12-31 1998-1-1 1998-1-31", 10),
    (
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "9-10 9-11 9-12 9-13 9-14 9-15 1999-3-10 1999-3-11 1999-3-12 1999-3-13",
        10,
    ),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "9-2 9-9 9-16 9-23 9-30 11-4 11-11 11-18 11-25 1998-1-6", None),
    ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "9-13 10-11 11-8 12-13 1998-1-10 1998-2-7", None),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998-2-13 1998-3-13 1998-11-13 1999-8-13 2000-10-13", None),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "9-4 10-7 11-6", 3),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "9-29 10-30 11-27 12-30 1998-1-29", None),
    ("FREQ=YEARLY;COUNT=10;INTERVAL=3;BYYEARDAY=1,100,200", "2000-1-1 2000-4-9 2000-7-18 2003-1-1", 10),
    ("FREQ=YEARLY;BYDAY=20MO", "1998-5-18 1999-5-17 2000-5-15", None),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1998-5-11 1999-5-17 2000-5-15", None),
    ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1998-3-5 1998-3-12 1998-3-19 1998-3-26 1999-3-4", None),
    ("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "9-2T9 9-2T12 9-2T15", 3),
    ("FREQ=MINUTELY;INTERVAL=90;COUNT=4", "9-2T9 9-2T10:30 9-2T12 9-2T13:30", 4),
    ("FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", "9-2T9 9-2T9:20 9-2T9:40 9-2T10", None),
)  # fmt: skip


def moment(text: str) -> datetime:
    day, _, clock = text.partition("T")
    parts = [int(part) for part in day.split("-")]
    year, month, date = parts if len(parts) == 3 else (1997, *parts)
    hour, _, minute = (clock or "9").partition(":")
    return datetime(year, month, date, int(hour), int(minute or 0))


@pytest.mark.parametrize(("rule", "listed", "count"), EXAMPLES, ids=[rule for rule, _, _ in EXAMPLES])
def test_an_example_of_the_rfc_has_the_rfcs_occurrences(rule: str, listed: str, count: int | None) -> None:
    expected = [moment(text) for text in listed.split()]
    found = list(islice(expand([f"RRULE:{rule}"], FIRST, NEW_YORK), 200))
    assert found[: len(expected)] == expected
    assert count is None or len(found) == count


def test_local_time_stays_across_the_end_of_summer_time() -> None:
    starts = occurrences(["RRULE:FREQ=DAILY;UNTIL=19971224T000000Z"], FIRST, NEW_YORK, 10**10)
    assert {to_local(start, NEW_YORK).hour for start in starts} == {9}
    lengths = [later - earlier for earlier, later in pairwise(starts)]
    assert sorted(set(lengths)) == [86_400, 90_000]
    assert lengths.index(90_000) == (datetime(1997, 10, 26) - datetime(1997, 9, 3)).days


def test_a_skipped_local_time_counts_with_the_offset_before_the_change() -> None:
    # On 5 April 1998 New York goes from 02:00 to 03:00: 02:30 EST is 03:30 EDT.
    first = datetime(1998, 4, 4, 2, 30)
    starts = occurrences(["RRULE:FREQ=DAILY;COUNT=3"], first, NEW_YORK, 10**10)
    assert [to_local(start, NEW_YORK) for start in starts] == [
        datetime(1998, 4, 4, 2, 30),
        datetime(1998, 4, 5, 3, 30),
        datetime(1998, 4, 6, 2, 30),
    ]


def test_a_local_time_that_happens_twice_is_the_first() -> None:
    first = datetime(1997, 10, 26, 1, 30)
    [start] = occurrences(["RRULE:FREQ=DAILY;COUNT=1"], first, NEW_YORK, 10**10)
    assert start == int(datetime.fromisoformat("1997-10-26T01:30:00-04:00").timestamp())


def test_exceptions_and_additions_are_followed_in_any_zone() -> None:
    lines = [
        "RRULE:FREQ=DAILY;COUNT=4",
        "EXDATE;TZID=America/New_York:19970903T090000",
        "EXDATE:19970904T130000Z",
        "RDATE:19970910T090000",
    ]
    starts = occurrences(lines, FIRST, NEW_YORK, 10**10)
    assert [to_local(start, NEW_YORK).day for start in starts] == [2, 5, 10]


def test_without_a_rule_there_is_the_first_shift_only() -> None:
    assert occurrences([], FIRST, NEW_YORK, 10**10) == [to_epoch(FIRST, NEW_YORK)]
    assert occurrences([], FIRST, NEW_YORK, to_epoch(FIRST, NEW_YORK)) == []


def test_occurrences_end_before_the_bound() -> None:
    bound = to_epoch(FIRST + timedelta(days=3), NEW_YORK)
    assert len(occurrences(["RRULE:FREQ=DAILY"], FIRST, NEW_YORK, bound)) == 3


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=SECONDLY",
        "RRULE:INTERVAL=2",
        "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=DAILY;BYDAY=XX",
        "RRULE:FREQ=DAILY;UNTIL=yesterday",
        "EXDATE:soon",
        "nonsense",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=SECONDLY",
    ],
)
def test_what_cannot_be_followed_is_refused(line: str) -> None:
    with pytest.raises(RuleNotUnderstood):
        occurrences([line], FIRST, NEW_YORK, to_epoch(FIRST, NEW_YORK) + 86_400)


def test_a_rule_with_endless_shifts_is_refused() -> None:
    with pytest.raises(RuleNotUnderstood):
        occurrences(["RRULE:FREQ=HOURLY"], datetime(1970, 1, 1), NEW_YORK, 10**9)
