"""Marks and texts of local time, also where the clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.plots.time_axis import span_text, time_marks, window_text
from tests.support.plot_examples import DAY, LONDON, START, WEEK


def test_days_are_marked_at_local_midnight_before_and_after_the_clock_changes() -> None:
    marks = time_marks(WEEK, LONDON)
    assert [(mark.at - START) / 3600 for mark in marks] == [0, 24, 48, 72, 96, 119, 143, 167]
    assert [mark.label for mark in marks][:2] == ["Wed 25 Mar", "Thu 26 Mar"]


def test_long_windows_are_marked_at_mondays_and_short_ones_at_hours() -> None:
    weeks = time_marks(Span(START, START + 90 * DAY), LONDON)
    assert len(weeks) == 13
    assert {mark.label[:3] for mark in weeks if mark.label} == {"Mon"}
    hours = time_marks(Span(START, START + DAY), LONDON)
    assert [mark.label for mark in hours] == [
        "00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"
    ]  # fmt: skip


def test_spans_are_said_in_local_time() -> None:
    assert span_text(Span(START, START + DAY), LONDON) == "Wed 25 Mar 00:00 to 24:00"
    assert span_text(Span(START + 3600, START + 7200), LONDON) == "Wed 25 Mar 01:00 to 02:00"
    assert span_text(Span(START, START + 30 * 3600), LONDON) == "Wed 25 Mar 00:00 to Thu 26 Mar 06:00"
    assert window_text(WEEK, LONDON) == "Wed 25 Mar 2026 00:00 to Wed 1 Apr 2026 01:00, Europe/London"


def test_half_hour_clock_changes_move_the_marks_by_half_an_hour() -> None:
    start = int(datetime(2026, 4, 4, tzinfo=UTC).timestamp())
    marks = time_marks(Span(start, start + 3 * DAY), ZoneInfo("Australia/Lord_Howe"))
    assert [(mark.at - start) / 3600 for mark in marks] == [13, 37.5, 61.5]
