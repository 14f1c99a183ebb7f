"""Local midnights and hours against a minute-by-minute look at the clock."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_hours import DAY, local_datetime, local_hours, local_midnights

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
    parts = list(local_hours(span, zone))
    seconds: Counter[int] = Counter()
    for part in parts:
        seconds[part.hour_of_week] += part.end - part.start
    assert {hour: total / 60 for hour, total in seconds.items()} == dict(minutes)
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert local_midnights(span, zone) == [at for at in days.values() if at >= span.start]
