"""When a recurring event of a v3 schedule begins: RRULE, EXDATE and RDATE of RFC 5545.

The frequencies are those of PagerDuty's schedule editor: HOURLY, DAILY, WEEKLY and MONTHLY, with INTERVAL,
COUNT, UNTIL and BYDAY; MONTHLY also knows BYMONTHDAY and ordinals such as 1MO and -1FR. All times are
wall-clock times without a zone, except UNTIL and dates with a Z, which are UTC.

Source: RFC 5545, sections 3.3.10 and 3.8.5.
"""

import calendar
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES: Final = frozenset({"HOURLY", "DAILY", "WEEKLY", "MONTHLY"})
_DAY: Final = re.compile(r"([+-]?\d+)?(MO|TU|WE|TH|FR|SA|SU)")
_ONE_DAY: Final = timedelta(days=1)

_Rule = dict[str, str]


def occurrences(
    recurrence: tuple[str, ...], first: datetime, before: datetime, zone: ZoneInfo
) -> list[datetime]:
    """Return the start times before a moment, in order; the first shift's start is the first of the rule.

    Raises ValueError for a rule that is not known here.
    """
    rule = _parsed_rule(recurrence)
    starts = {first} if rule is None else set(_of_rule(rule, first, before, zone))
    starts |= _dates("RDATE", recurrence, zone)
    starts -= _dates("EXDATE", recurrence, zone)
    return sorted(start for start in starts if start < before)


def _parsed_rule(recurrence: tuple[str, ...]) -> _Rule | None:
    lines = [line.removeprefix("RRULE:") for line in recurrence if line.startswith("RRULE:")]
    if not lines:
        return None
    rule = dict(part.split("=", 1) for part in lines[0].split(";"))
    if len(lines) > 1 or rule.get("FREQ") not in _FREQUENCIES:
        raise ValueError("exactly one RRULE is known, HOURLY, DAILY, WEEKLY or MONTHLY")
    return rule


def _of_rule(rule: _Rule, first: datetime, before: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    count = int(rule["COUNT"]) if "COUNT" in rule else None
    last = before
    if "UNTIL" in rule:
        last = min(before, _wall(rule["UNTIL"], zone) + timedelta(seconds=1))
    found = itertools.takewhile(lambda at: at < last, _endless(rule, first))
    return itertools.islice(found, count)


def _endless(rule: _Rule, first: datetime) -> Iterator[datetime]:
    """Yield the occurrences from the first one on, in order, without an end."""
    interval, days = int(rule.get("INTERVAL", "1")), _days(rule)
    match rule["FREQ"]:
        case "HOURLY":
            steps: Iterator[datetime] = (first + timedelta(hours=interval * n) for n in itertools.count())
            return (at for at in steps if _on(days, at))
        case "DAILY":
            steps = (first + timedelta(days=interval * n) for n in itertools.count())
            return (at for at in steps if _on(days, at))
        case "WEEKLY":
            return _weekly(first, interval, {name for _, name in days} or {DAYS[first.weekday()]})
    return _monthly(rule, first, interval, days)


def _days(rule: _Rule) -> list[tuple[int, str]]:
    """Return BYDAY as pairs of an ordinal (0 for every) and a day."""
    parts = [_DAY.fullmatch(part) for part in rule.get("BYDAY", "").split(",") if part]
    if not all(parts):
        raise ValueError("BYDAY has an unknown day")
    return [(int(part[1] or 0), part[2]) for part in parts if part]


def _on(days: list[tuple[int, str]], at: datetime) -> bool:
    return not days or DAYS[at.weekday()] in {name for _, name in days}


def _weekly(first: datetime, interval: int, days: set[str]) -> Iterator[datetime]:
    """Yield the named days of every n-th week; weeks begin on Monday."""
    monday = first - first.weekday() * _ONE_DAY
    for week in itertools.count(0, interval):
        for number, name in enumerate(DAYS):
            at = monday + timedelta(days=7 * week + number)
            if name in days and at >= first:
                yield at


def _monthly(rule: _Rule, first: datetime, interval: int, days: list[tuple[int, str]]) -> Iterator[datetime]:
    numbers = [int(part) for part in rule.get("BYMONTHDAY", "").split(",") if part]
    if not numbers and not days:
        numbers = [first.day]
    for months in itertools.count(0, interval):
        year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
        length = calendar.monthrange(year, month + 1)[1]
        chosen = {number if number > 0 else length + 1 + number for number in numbers}
        chosen |= {day for ordinal, name in days for day in _weekdays(year, month + 1, length, ordinal, name)}
        for day in sorted(chosen):
            if 1 <= day <= length and (at := first.replace(year=year, month=month + 1, day=day)) >= first:
                yield at


def _weekdays(year: int, month: int, length: int, ordinal: int, name: str) -> list[int]:
    """Return the days of a month that are this weekday: all, or the n-th from its start or its end."""
    offset = (DAYS.index(name) - calendar.weekday(year, month, 1)) % 7 + 1
    all_days = list(range(offset, length + 1, 7))
    if ordinal == 0:
        return all_days
    place = ordinal - 1 if ordinal > 0 else len(all_days) + ordinal
    return [all_days[place]] if 0 <= place < len(all_days) else []


def _dates(name: str, recurrence: tuple[str, ...], zone: ZoneInfo) -> set[datetime]:
    lines = [line for line in recurrence if line.partition(":")[0].partition(";")[0] == name]
    return {_wall(text, zone) for line in lines for text in line.partition(":")[2].split(",")}


def _wall(text: str, zone: ZoneInfo) -> datetime:
    """Parse a time of RFC 5545 as wall-clock time in the zone; a bare date is its last second."""
    if len(text) == len("20260105"):
        return datetime.strptime(text, "%Y%m%d") + _ONE_DAY - timedelta(seconds=1)  # noqa: DTZ007 - RFC 5545 writes local times
    at = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - RFC 5545 writes local times
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if text.endswith("Z") else at
