"""Local midnights and hours against a minute-by-minute look at the clock."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.local_hours import (
    full_hours,
    hour_of_week,
    local_datetime,
    local_midnights,
    seconds_by_hour_of_week,
)

#: Around a change of the clock: 23 h, 25 h, half an hour, a skipped day, a skipped midnight, a repeated one.
CHANGES = [
    ("Europe/London", datetime(2026, 3, 28, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 31, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 2, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 22, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 10, 31, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "day"), CHANGES, ids=[f"{name} {day:%Y-%m-%d}" for name, day in CHANGES])
def test_hours_and_midnights_agree_with_a_look_at_the_clock_every_minute(name: str, day: datetime) -> None:
    zone = ZoneInfo(name)
    span = Span(int(day.timestamp()), int(day.timestamp()) + 3 * DAY)
    minutes: Counter[int] = Counter()
    days: dict[object, int] = {}
    for at in range(span.start - DAY, span.end, 60):
        local = local_datetime(at, zone)
        days.setdefault(local.date(), at)
        if at >= span.start:
            minutes[local.weekday() * 24 + local.hour] += 1
    seconds = seconds_by_hour_of_week([span], zone)
    assert {hour: total / 60 for hour, total in enumerate(seconds) if total} == dict(minutes)
    assert {hour_of_week(at, zone) for at in range(*span, 60)} == set(minutes)
    assert list(full_hours(span, zone)) == [
        at for at in range(*span, 60) if local_datetime(at, zone).minute == 0
    ]
    assert local_midnights(span, zone) == [at for at in days.values() if at >= span.start]


def test_a_year_of_hours_adds_up() -> None:
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    year = Span(start + 17, start + 365 * DAY + 4)
    seconds = seconds_by_hour_of_week([year, year], ZoneInfo("Europe/London"))
    assert sum(seconds) == 2 * year.seconds
