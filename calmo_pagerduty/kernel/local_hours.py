"""Local midnights and the hours of the local week, exact also where a zone's clock changes.

A day has 23, 24 or 25 hours there (23½ or 24½ on Lord Howe Island), or does not exist at all (Apia,
30 December 2011). Times are epoch seconds (UTC).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY, HOUR, constant_offset_spans, split_into_days

WEEK = 7 * DAY
HOURS_OF_WEEK = 168
#: 1970-01-01 was a Thursday, so weeks that begin on Monday began three days earlier.
_MONDAY_SHIFT = 3 * DAY


def local_datetime(at: int, zone: ZoneInfo) -> datetime:
    """Return the moment in the zone's local time."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def local_midnights(within: Span, zone: ZoneInfo) -> list[int]:
    """Return when local days begin within the span, earliest first.

    Where the clock skips midnight, the day begins when the clock goes on.
    """
    before = Span(within.start - 1, within.end)
    return [day.start for day in split_into_days(before, zone) if day.start >= within.start]


def full_hours(within: Span, zone: ZoneInfo) -> Iterator[int]:
    """Yield the moments of the span at which a local clock shows a full hour, earliest first."""
    for start, end, offset in constant_offset_spans(within, zone):
        yield from range(start + -(start + offset) % HOUR, end, HOUR)


def seconds_by_hour_of_week(spans: Iterable[Span], zone: ZoneInfo) -> list[int]:
    """Return how many seconds of the spans fall into each hour of the local week, 168 numbers.

    Number 0 is Monday 00:00 to 01:00, 167 is Sunday 23:00 to 24:00. An hour that the clock repeats counts
    twice. Overlapping spans count each.
    """
    seconds = [0] * HOURS_OF_WEEK
    weeks = 0
    for span in spans:
        for start, end, offset in constant_offset_spans(span, zone):
            whole, rest = divmod(end - start, WEEK)
            weeks += whole
            position = (start + offset + _MONDAY_SHIFT) % WEEK
            while rest > 0:
                hour, within = divmod(position, HOUR)
                part = min(HOUR - within, rest)
                seconds[hour] += part
                rest -= part
                position = (position + part) % WEEK
    return [number + weeks * HOUR for number in seconds]


def hour_of_week(at: int, zone: ZoneInfo) -> int:
    """Return the hour of the local week: 0 is Monday 00:00 to 01:00."""
    local = local_datetime(at, zone)
    return local.weekday() * 24 + local.hour
