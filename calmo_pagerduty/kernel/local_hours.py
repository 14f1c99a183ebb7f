"""Cut time at the local midnights and full hours of a zone, exactly also where its clock changes.

A day has 23, 24 or 25 hours there (23 h 30 min or 24 h 30 min on Lord Howe Island), or does not exist at
all (Apia, 30 December 2011). Times are epoch seconds (UTC); weekdays count from 0, Monday.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span

HOUR = 3_600
DAY = 86_400
HOURS_OF_WEEK = 168


class LocalHour(NamedTuple):
    """A part of one local hour. `hour_of_week` is 0 for Monday 00:00 to 01:00, 167 for Sunday 23:00."""

    start: int
    end: int
    hour_of_week: int


def local_datetime(at: int, zone: ZoneInfo) -> datetime:
    """Return the moment in the zone's local time."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def local_midnights(within: Span, zone: ZoneInfo) -> list[int]:
    """Return when each local day begins within the span, its start included if a day begins there.

    Where the clock skips midnight, the day begins when the clock goes on.
    """
    first = local_datetime(within.start, zone).date()
    last = local_datetime(within.end, zone).date()
    starts = {
        _epoch(datetime(day.year, day.month, day.day, tzinfo=zone))
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1))
    }
    return sorted(start for start in starts if within.start <= start < within.end)


def local_hours(within: Span, zone: ZoneInfo) -> Iterator[LocalHour]:
    """Yield the span's parts, earliest first, each within one local hour.

    The hour that a clock repeats comes twice, and the hour that it skips not at all.
    """
    at = within.start
    while at < within.end:
        local = local_datetime(at, zone)
        until = min(at + HOUR - local.minute * 60 - local.second, within.end)
        offset = local.utcoffset()
        if local_datetime(until - 1, zone).utcoffset() != offset:
            until = _clock_change(at, until, zone)
        yield LocalHour(at, until, local.weekday() * 24 + local.hour)
        at = until


def _clock_change(start: int, end: int, zone: ZoneInfo) -> int:
    """Return the first second within the span at which the zone's offset is another than at its start."""
    offset = local_datetime(start, zone).utcoffset()
    same, other = start, end - 1
    while other - same > 1:
        middle = (same + other) // 2
        if local_datetime(middle, zone).utcoffset() == offset:
            same = middle
        else:
            other = middle
    return other


def _epoch(local: datetime) -> int:
    """Return the moment of a local time. Within a skipped hour, that is when the clock goes on."""
    moment = int(local.timestamp())
    zone = local.tzinfo
    shown = datetime.fromtimestamp(moment, UTC).astimezone(zone)
    if shown.replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # The time doesn't exist: with fold=1, the offset after the gap counts, which gives a moment before it.
    before = int(local.replace(fold=1).timestamp())
    assert isinstance(zone, ZoneInfo)
    low, high = min(before, moment), max(before, moment)
    return _clock_change(low, high + 1, zone)
