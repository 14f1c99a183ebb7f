"""Absences and the calendars that they come from. Times are epoch seconds (UTC), intervals half-open."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span


class CalendarFormat(StrEnum):
    ICS = "ics"
    CSV = "csv"


class Absence(NamedTuple):
    """A person (PagerDuty's id) is away."""

    user_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AbsenceCalendar:
    """A person's stored calendar: times away within `known`, and how many events were left out, by reason.

    Titles, places and guests of a calendar are never stored. `imported_at` is UTC.
    """

    connection_id: str
    user_id: str
    format: CalendarFormat
    spans: tuple[Span, ...]
    known: Span
    skipped: tuple[tuple[str, int], ...]
    imported_by: str
    imported_at: datetime


class TooManyCalendars(ExplainedError):
    """The connection has as many calendars as it may. The message says how many."""
