"""Translates rows of calendars to their model."""

from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.absences.model import AbsenceCalendar, CalendarFormat
from calmo_pagerduty.kernel.intervals import Span


def calendar_values(calendar: AbsenceCalendar) -> dict[str, Any]:
    return {
        "connection_id": calendar.connection_id,
        "user_id": calendar.user_id,
        "format": calendar.format,
        "spans": [list(span) for span in calendar.spans],
        "known_since": _instant(calendar.known.start),
        "known_until": _instant(calendar.known.end),
        "skipped": [list(row) for row in calendar.skipped],
        "imported_by": calendar.imported_by,
        "imported_at": calendar.imported_at,
    }


def calendar_from_row(row: Any) -> AbsenceCalendar:
    return AbsenceCalendar(
        connection_id=row.connection_id,
        user_id=row.user_id,
        format=CalendarFormat(row.format),
        spans=tuple(Span(*span) for span in row.spans),
        known=Span(int(row.known_since.timestamp()), int(row.known_until.timestamp())),
        skipped=tuple((str(reason), int(count)) for reason, count in row.skipped),
        imported_by=row.imported_by,
        imported_at=row.imported_at,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
