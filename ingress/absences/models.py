"""Models of the endpoints for calendars of absences. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime

from pydantic import Field

from calmo_pagerduty.absences.ics import MAX_BYTES
from calmo_pagerduty.absences.model import AbsenceCalendar, CalendarFormat
from ingress.api.models import Model

#: Spans that an answer names for each person.
MAX_SPANS = 200


class CalendarImport(Model):
    """A person's calendar. Only its times are stored, never its titles, places and guests."""

    text: str = Field(max_length=MAX_BYTES)
    format: CalendarFormat | None = Field(None, description="Default: as the text looks.")
    all_events: bool = Field(
        False, description="iCalendar: every event is an absence. Default: those whose summary says so."
    )


class SkippedModel(Model):
    reason: str
    events: int


class AwayModel(Model):
    start: datetime
    end: datetime


class AbsenceCalendarModel(Model):
    """When a person is away, as far as the calendar was followed: from `known_since` until `known_until`."""

    user: str
    format: CalendarFormat
    away: list[AwayModel]
    away_count: int
    known_since: datetime
    known_until: datetime
    #: What of the calendar was left out.
    skipped: list[SkippedModel]
    imported_by: str
    imported_at: datetime


class AbsenceListModel(Model):
    """Calendars of persons whom the key may see; `hidden_calendars` counts the others."""

    calendars: list[AbsenceCalendarModel]
    hidden_calendars: int


class RemovedCalendarModel(Model):
    user: str
    removed: bool


def calendar_model(calendar: AbsenceCalendar) -> AbsenceCalendarModel:
    return AbsenceCalendarModel(
        user=calendar.user_id,
        format=calendar.format,
        away=[
            AwayModel(start=_moment(span.start), end=_moment(span.end)) for span in calendar.spans[:MAX_SPANS]
        ],
        away_count=len(calendar.spans),
        known_since=_moment(calendar.known.start),
        known_until=_moment(calendar.known.end),
        skipped=[SkippedModel(reason=reason, events=count) for reason, count in calendar.skipped],
        imported_by=calendar.imported_by,
        imported_at=calendar.imported_at,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
