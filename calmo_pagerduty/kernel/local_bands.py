"""Split time into business, off and sleep hours of a person's time zone, exact across clock changes.

Between two clock changes local time is UTC plus a constant offset. Everything here is computed within such
pieces, so a day of 23, 24½ or 25 hours, or a day that a zone skipped, needs no case of its own.

Source: PagerDuty's responder analytics (business Monday to Friday 08-18, sleep 22-08 daily, off the rest).
Their texts overlap at weekends; here sleep wins, so that the bands partition time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.time_zones import NIGHT_BEGINS, NIGHT_ENDS

HOUR = 3600
DAY = 24 * HOUR
BUSINESS_BEGINS = 8
BUSINESS_ENDS = 18
#: 1970-01-01 was a Thursday: the weekday of day 0, where Monday is 0.
_EPOCH_WEEKDAY = 3
_EPOCH_DATE = date(1970, 1, 1)

_BAND_CUTS = (NIGHT_ENDS * HOUR, BUSINESS_ENDS * HOUR, NIGHT_BEGINS * HOUR)


class Band(StrEnum):
    """Parts of the week by local time. They don't overlap, and cover all time."""

    BUSINESS = "business"
    OFF = "off"
    SLEEP = "sleep"


class BandSpan(NamedTuple):
    """A time within one band, in epoch seconds (UTC)."""

    start: int
    end: int
    band: Band


class LocalDay(NamedTuple):
    """The part of a local calendar day that a span covers. `end` is exclusive, in epoch seconds (UTC)."""

    start: int
    end: int
    date: date

    @property
    def is_weekend(self) -> bool:
        return self.date.weekday() >= 5


class OffsetSpan(NamedTuple):
    """A time in which local time is UTC plus `offset` seconds."""

    start: int
    end: int
    offset: int


class LocalPiece(NamedTuple):
    """A time without a clock change, and its start in local time: seconds since 1970-01-01 there."""

    start: int
    end: int
    local_start: int

    @property
    def time_of_day(self) -> int:
        """Seconds since local midnight, at the start."""
        return self.local_start % DAY

    @property
    def weekday(self) -> int:
        """1 is Monday, at the start."""
        return (self.local_start // DAY + _EPOCH_WEEKDAY) % 7 + 1

    @property
    def date(self) -> date:
        return _date_of_local(self.local_start)


def split_into_bands(span: Span, zone: ZoneInfo) -> tuple[BandSpan, ...]:
    """Return a span's parts in each band, earliest first. Neighbours are of different bands."""
    return _bands(span.start, span.end, zone)


# A report asks for the bands of the same shift for its person, for its schedule and for pages.
@lru_cache(maxsize=16_384)
def _bands(begin: int, until: int, zone: ZoneInfo) -> tuple[BandSpan, ...]:
    parts: list[BandSpan] = []
    for start, end, local in split_at_local_times(Span(begin, until), zone, _BAND_CUTS):
        band = _band_of_local(local)
        if parts and parts[-1].band is band:
            parts[-1] = BandSpan(parts[-1].start, end, band)
        else:
            parts.append(BandSpan(start, end, band))
    return tuple(parts)


def split_into_days(span: Span, zone: ZoneInfo) -> list[LocalDay]:
    """Return a span's parts in each local calendar day, earliest first."""
    parts: list[LocalDay] = []
    for start, end, local in split_at_local_times(span, zone):
        day = _date_of_local(local)
        if parts and parts[-1].date == day:
            parts[-1] = LocalDay(parts[-1].start, end, day)
        else:
            parts.append(LocalDay(start, end, day))
    return parts


def split_at_local_times(
    span: Span, zone: ZoneInfo, times_of_day: Sequence[int] = ()
) -> Iterator[LocalPiece]:
    """Yield a span's parts, cut at clock changes, at midnight and at times of day (seconds, ascending)."""
    cuts = (*times_of_day, DAY)
    for start, end, offset in constant_offset_spans(span, zone):
        position = start
        while position < end:
            local = position + offset
            midnight = local - local % DAY
            following = next(midnight + cut for cut in cuts if midnight + cut > local)
            until = min(following - offset, end)
            yield LocalPiece(position, until, local)
            position = until


def seconds_by_band(spans: Iterable[Span], zone: ZoneInfo) -> dict[Band, int]:
    """Return the seconds of the spans in each band. Their sum is the spans' summed length."""
    seconds = dict.fromkeys(Band, 0)
    for span in spans:
        for start, end, band in split_into_bands(span, zone):
            seconds[band] += end - start
    return seconds


def band_at(at: int, zone: ZoneInfo) -> Band:
    """Return the band of an instant in epoch seconds."""
    return _band_of_local(at + utc_offset(at, zone))


def local_date(at: int, zone: ZoneInfo) -> date:
    """Return the local calendar day of an instant in epoch seconds."""
    return _date_of_local(at + utc_offset(at, zone))


def utc_offset(at: int, zone: ZoneInfo) -> int:
    """Return the seconds that local time is ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def constant_offset_spans(span: Span, zone: ZoneInfo) -> Iterator[OffsetSpan]:
    """Yield a span's parts between clock changes, earliest first."""
    start = span.start
    while start < span.end:
        year = datetime.fromtimestamp(start, UTC).year
        changes, offsets, year_end = _offsets_in_year(zone, year)
        index = bisect_right(changes, start) - 1
        change = changes[index + 1] if index + 1 < len(changes) else year_end
        end = min(change, span.end)
        yield OffsetSpan(start, end, offsets[index])
        start = end


@lru_cache(maxsize=512)
def _offsets_in_year(zone: ZoneInfo, year: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return the starts of a UTC year's offsets, those offsets, and the year's end.

    It looks at every day's start and bisects where two differ: no zone changed its clock twice in a day.
    """
    begin = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    starts, offsets = [begin], [utc_offset(begin, zone)]
    for day in range(begin, end, DAY):
        low, high = day, min(day + DAY, end)
        offset = utc_offset(high, zone)
        if offset == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if utc_offset(middle, zone) == offsets[-1]:
                low = middle
            else:
                high = middle
        starts.append(high)
        offsets.append(offset)
    return tuple(starts), tuple(offsets), end


def _band_of_local(local: int) -> Band:
    day, second = divmod(local, DAY)
    if second < NIGHT_ENDS * HOUR or second >= NIGHT_BEGINS * HOUR:
        return Band.SLEEP
    is_weekday = (day + _EPOCH_WEEKDAY) % 7 < 5
    if is_weekday and BUSINESS_BEGINS * HOUR <= second < BUSINESS_ENDS * HOUR:
        return Band.BUSINESS
    return Band.OFF


def _date_of_local(local: int) -> date:
    return _EPOCH_DATE + timedelta(days=local // DAY)
