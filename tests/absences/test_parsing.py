"""A calendar is iCalendar or CSV; what can't be read is counted, never taken for "not away"."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.absences.ics import MAX_BYTES, CalendarRefused
from calmo_pagerduty.absences.model import CalendarFormat
from calmo_pagerduty.absences.parsing import format_of, parse_calendar
from calmo_pagerduty.kernel.intervals import Span

LONDON = ZoneInfo("Europe/London")
#: The year 2026.
WINDOW = Span(1_767_225_600, 1_798_761_600)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_dates_are_whole_local_days_and_times_end_when_they_say() -> None:
    text = (
        "Name,From,To\nAda,2026-03-28,2026-03-29\nAda,2026-07-01T12:00,2026-07-01T18:30:00+00:00\n"
        "Ada,soon,later\nAda,2026-09-09,2026-09-01\n"
    )
    found = parse_calendar(text, CalendarFormat.CSV, WINDOW, LONDON)
    # The clock changes on the second day.
    assert found.spans == (
        Span(at("2026-03-28T00:00+00:00"), at("2026-03-30T00:00+01:00")),
        Span(at("2026-07-01T12:00+01:00"), at("2026-07-01T18:30+00:00")),
    )
    assert found.spans[0].seconds == 47 * 3600
    assert found.skipped == (("no readable time", 2),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2",
        "\x00",
        "start,end\n" + "x" * MAX_BYTES,
        "start,end\n" + "2026-01-01,2026-01-01\n" * 2_001,
    ],
)
def test_what_is_no_calendar_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(CalendarRefused):
        parse_calendar(text, CalendarFormat.CSV, WINDOW, LONDON)


def test_the_format_is_recognised() -> None:
    assert format_of("\ufeffBEGIN:VCALENDAR\r\n") is CalendarFormat.ICS
    assert format_of("start,end\n") is CalendarFormat.CSV
