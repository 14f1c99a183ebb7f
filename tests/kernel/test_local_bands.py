"""Bands and local days agree with a minute grid in every zone, whatever the clocks do."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import (
    Band,
    band_at,
    constant_offset_spans,
    local_date,
    seconds_by_band,
    split_into_bands,
    split_into_days,
)

#: Weeks in which clocks change (or a day is missing), and a plain one.
WEEKS = {
    "Europe/London": "2026-03-27",
    "America/New_York": "2026-10-30",
    "Australia/Lord_Howe": "2026-04-03",
    "Pacific/Apia": "2011-12-28",
    "America/Sao_Paulo": "2018-11-02",
    "Asia/Kathmandu": "2026-05-01",
    "Africa/Casablanca": "2026-02-13",
}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def band_by_the_clock(instant: int, zone: ZoneInfo) -> Band:
    """What a person reads off the wall clock and the calendar."""
    local = datetime.fromtimestamp(instant, zone)
    if local.hour >= 22 or local.hour < 8:
        return Band.SLEEP
    return Band.BUSINESS if local.weekday() < 5 and local.hour < 18 else Band.OFF


@pytest.mark.parametrize(("name", "start"), WEEKS.items())
def test_bands_equal_a_minute_grid_in_a_week_of_clock_changes(name: str, start: str) -> None:
    zone = ZoneInfo(name)
    span = Span(at(start), at(start) + 5 * 86_400)
    grid = Counter(band_by_the_clock(minute, zone) for minute in range(span.start, span.end, 60))
    assert seconds_by_band([span], zone) == {band: grid[band] * 60 for band in Band}


@pytest.mark.parametrize(("name", "start"), WEEKS.items())
def test_days_equal_a_minute_grid_in_a_week_of_clock_changes(name: str, start: str) -> None:
    zone = ZoneInfo(name)
    span = Span(at(start), at(start) + 5 * 86_400)
    grid = Counter(datetime.fromtimestamp(minute, zone).date() for minute in range(span.start, span.end, 60))
    days = split_into_days(span, zone)
    assert {day.date: day.end - day.start for day in days} == {day: 60 * count for day, count in grid.items()}


def test_apia_has_no_thirtieth_of_december_2011() -> None:
    days = split_into_days(Span(at("2011-12-28"), at("2012-01-02")), ZoneInfo("Pacific/Apia"))
    assert date(2011, 12, 30) not in {day.date for day in days}


def test_a_spring_sunday_in_london_has_23_hours() -> None:
    days = split_into_days(Span(at("2026-03-28"), at("2026-03-31")), ZoneInfo("Europe/London"))
    assert {day.date: (day.end - day.start) // 3600 for day in days}[date(2026, 3, 29)] == 23


def test_lord_howe_changes_its_clock_by_half_an_hour() -> None:
    pieces = constant_offset_spans(Span(at("2026-04-03"), at("2026-04-06")), ZoneInfo("Australia/Lord_Howe"))
    offsets = [piece.offset for piece in pieces]
    assert [later - earlier for earlier, later in pairwise(offsets)] == [-1800]


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(WEEKS)),
    start=st.integers(at("2010-01-01"), at("2030-01-01")),
    seconds=st.integers(0, 40 * 86_400),
    cut=st.floats(0, 1),
)
def test_bands_partition_a_span_and_splitting_it_changes_nothing(
    name: str, start: int, seconds: int, cut: float
) -> None:
    zone, span = ZoneInfo(name), Span(start, start + seconds)
    parts = split_into_bands(span, zone)
    assert sum(part.end - part.start for part in parts) == span.seconds
    assert all(left.end == right.start and left.band != right.band for left, right in pairwise(parts))
    middle = start + int(seconds * cut)
    halves = seconds_by_band([Span(start, middle), Span(middle, span.end)], zone)
    assert halves == seconds_by_band([span], zone)
    assert all(band_at(part.start, zone) is part.band for part in parts)
    assert all(local_date(day.start, zone) == day.date for day in split_into_days(span, zone))
