"""Parse an imported calendar in one of the formats: iCalendar, or CSV with a start and an end. Pure.

CSV: a header with `start` and `end`, or `from` and `to`; other columns are left unread. A row is an absence.
Dates are whole local days, the last one included; times are ISO 8601, local without an offset, the end
excluded.
"""

import csv
import io
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from calmo_pagerduty.absences.ics import MAX_BYTES, MAX_EVENTS, AwayCalendar, CalendarRefused, parse_away
from calmo_pagerduty.absences.model import CalendarFormat
from calmo_pagerduty.kernel.intervals import Span, clip, union

_NAMES = (("start", "end"), ("from", "to"))
_UNREADABLE = "no readable time"


def format_of(text: str) -> CalendarFormat:
    """Return the format that a text seems to have."""
    return CalendarFormat.ICS if "BEGIN:VCALENDAR" in text[:1000].upper() else CalendarFormat.CSV


def parse_calendar(
    text: str, calendar_format: CalendarFormat, window: Span, zone: ZoneInfo, *, all_events: bool = False
) -> AwayCalendar:
    """Return when the calendar's owner is away in the window. `zone` is that of times without one.

    Raises CalendarRefused.
    """
    if calendar_format is CalendarFormat.ICS:
        return parse_away(text.encode(errors="replace"), window, zone, all_events=all_events)
    return _parse_csv(text, window, zone)


def _parse_csv(text: str, window: Span, zone: ZoneInfo) -> AwayCalendar:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise CalendarRefused(f"the calendar is larger than {MAX_BYTES // 1000} kB: export a shorter time")
    spans: list[Span] = []
    skipped = 0
    try:
        rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="")
        columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        names = next(((columns[a], columns[b]) for a, b in _NAMES if a in columns and b in columns), None)
        if names is None:
            raise CalendarRefused("the CSV needs a header with the columns start and end")
        for number, row in enumerate(rows):
            if number >= MAX_EVENTS:
                raise CalendarRefused(f"the calendar has more than {MAX_EVENTS} rows: export a shorter time")
            span = _span(row, names, zone)
            if span is None:
                skipped += 1
            else:
                spans.append(span)
    except csv.Error as error:
        raise CalendarRefused("this is no CSV") from error
    return AwayCalendar(tuple(union(clip(spans, window))), ((_UNREADABLE, skipped),) if skipped else ())


def _span(row: Mapping[str, str | None], names: tuple[str, str], zone: ZoneInfo) -> Span | None:
    """Return a row's time; None if it can't be read."""
    try:
        start, end = (
            _moment((row[name] or "").strip(), zone, is_end=is_end)
            for name, is_end in zip(names, (False, True), strict=True)
        )
    except (ValueError, OverflowError):
        return None
    return Span(start, end) if start < end else None


def _moment(text: str, zone: ZoneInfo, *, is_end: bool) -> int:
    """Return epoch seconds. Raises ValueError, OverflowError."""
    if len(text) == len("2026-12-24"):
        day = date.fromisoformat(text) + timedelta(days=1 if is_end else 0)
        return int(datetime.combine(day, time(), zone).timestamp())
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
