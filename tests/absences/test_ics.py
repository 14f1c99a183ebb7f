"""Absences from imported calendars: recurrences are followed, and hostile calendars are bounded."""

from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.absences.ics import MAX_BYTES, MAX_EVENTS, AwayCalendar, CalendarRefused, parse_away
from calmo_pagerduty.kernel.intervals import Span
from tests.support.coverage_worlds import DAY, HOUR, at

pytest.importorskip("icalendar")
LONDON = ZoneInfo("Europe/London")
WINDOW = Span(at("2026-03-23 00:00"), at("2026-04-20 00:00"))


def calendar(*events: str) -> bytes:
    lines = [line for event in events for line in ("BEGIN:VEVENT", *event.strip().split("\n"), "END:VEVENT")]
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t//", *lines, "END:VCALENDAR", ""]
    ).encode()


def away(*events: str, **options: bool) -> AwayCalendar:
    return parse_away(calendar(*events), WINDOW, LONDON, **options)


def test_all_day_absences_are_local_days_also_when_the_clock_changes() -> None:
    found = away("UID:1\nSUMMARY:Vacation\nDTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330")
    assert found.spans == (Span(at("2026-03-28 00:00"), at("2026-03-29 23:00")),), "47 hours"


def test_times_in_utc_in_a_named_zone_and_without_zone_are_understood() -> None:
    found = away(
        "UID:1\nSUMMARY:OOO\nDTSTART:20260324T080000Z\nDTEND:20260324T160000Z",
        "UID:2\nSUMMARY:OOO\nDTSTART;TZID=America/New_York:20260325T080000\nDURATION:PT8H",
        "UID:3\nSUMMARY:OOO\nDTSTART:20260401T080000\nDTEND:20260401T160000",
    )
    assert [span.start for span in found.spans] == [
        at("2026-03-24 08:00"), at("2026-03-25 12:00"), at("2026-04-01 07:00")
    ]  # fmt: skip


def test_only_absences_count_unless_all_events_are_asked_for() -> None:
    events = (
        "UID:1\nSUMMARY:Workshop\nDTSTART:20260324T080000Z\nDTEND:20260324T160000Z",
        "UID:2\nSUMMARY:Out of office: dentist\nDTSTART:20260325T080000Z\nDTEND:20260325T090000Z",
        "UID:3\nSUMMARY:Holiday\nSTATUS:CANCELLED\nDTSTART:20260326T080000Z\nDTEND:20260326T180000Z",
    )
    assert away(*events).spans == (), "a workshop, an hour, and a cancelled holiday"
    assert len(away(*events, all_events=True).spans) == 1


def test_recurrences_exceptions_and_changed_occurrences_are_followed_in_local_time() -> None:
    found = away(
        "UID:1\nSUMMARY:Away\nDTSTART;TZID=Europe/London:20260320T090000\nDTEND;TZID=Europe/London:20260320T170000\n"
        "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20260417T235959Z\nEXDATE;TZID=Europe/London:20260403T090000",
        "UID:1\nSUMMARY:Away\nRECURRENCE-ID;TZID=Europe/London:20260410T090000\n"
        "DTSTART;TZID=Europe/London:20260411T090000\nDTEND;TZID=Europe/London:20260411T170000",
    )
    assert [span.start for span in found.spans] == [
        at("2026-03-27 09:00", "Europe/London"),
        at("2026-04-11 09:00", "Europe/London"),
        at("2026-04-17 09:00", "Europe/London"),
    ]
    assert {span.seconds for span in found.spans} == {8 * HOUR}


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=HOURLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYYEARDAY=366",
     "FREQ=MONTHLY;BYDAY=5XX", "FREQ=YEARLY;BYDAY=53MO", "FREQ=DAILY;BYSETPOS=-366"],
)  # fmt: skip
def test_rules_that_could_run_for_long_are_left_out_and_said(rule: str) -> None:
    try:
        found = away(f"UID:1\nSUMMARY:Away\nDTSTART:20260320T090000Z\nDTEND:20260320T170000Z\nRRULE:{rule}")
    except CalendarRefused:
        return
    assert found.spans == ()
    assert sum(count for _, count in found.skipped) <= 1


def test_endless_daily_absences_and_many_of_them_are_bounded() -> None:
    event = "UID:{}\nSUMMARY:Away\nDTSTART:20160101T000000Z\nDTEND:20160101T235900Z\nRRULE:FREQ=DAILY"
    found = away(*(event.format(number) for number in range(60)))
    assert len(found.spans) == WINDOW.seconds // DAY
    assert found.skipped == (("more recurring events than are followed", 10),)


@pytest.mark.parametrize(
    "text",
    [b"", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", b"\xff\xfe\x00", b"x" * (MAX_BYTES + 1),
     calendar(*["UID:1\nSUMMARY:a"] * (MAX_EVENTS + 1))],
    ids=["empty", "text", "cut", "binary", "large", "many"],
)  # fmt: skip
def test_what_is_no_calendar_or_too_large_is_refused(text: bytes) -> None:
    with pytest.raises(CalendarRefused):
        parse_away(text, WINDOW, LONDON)


@pytest.mark.parametrize(
    "event",
    ["UID:1\nSUMMARY:Away", "UID:1\nSUMMARY:Away\nDTSTART:99991231T235959Z\nDURATION:P400D",
     "UID:1\nSUMMARY:Away\nDTSTART:20260324T080000Z\nDTEND:20260323T080000Z"],
    ids=["no time", "end of the calendar", "ends before it starts"],
)  # fmt: skip
def test_an_event_that_makes_no_sense_is_nobodys_absence(event: str) -> None:
    assert away(event).spans == ()
