"""When a person is away, by an imported calendar (iCalendar, RFC 5545). Pure.

A calendar is untrusted: its size, its events and its recurrences are limited, and rules that could search
for long without an occurrence are skipped. What is skipped is said, so that nobody takes it for "not away".
An event counts if its summary says so (`AWAY_WORDS`), unless all events are asked for; cancelled ones don't.

Source: RFC 5545 §3.6.1 (events), §3.3.10 (recurrence), §3.8.5 (exceptions), §3.8.4.4 (changed occurrences).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span, clip, union
from calmo_pagerduty.kernel.local_bands import HOUR

MAX_BYTES = 200_000
MAX_EVENTS = 2_000
MAX_RECURRING = 50
MAX_OCCURRENCES = 8_000
#: Shorter absences, such as a meeting, are left to people.
MIN_SECONDS = 4 * HOUR
#: Recurrences that began earlier would be followed for long.
_FIRST_YEAR = 2015
AWAY_WORDS = re.compile(
    r"\b(out of office|ooo|away|vacation|holidays?|leave|pto|time off|sick|parental|urlaub|abwesend|congé)\b",
    re.IGNORECASE,
)
#: With these parts alone a rule always has a next occurrence.
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_PLAIN_DAYS = re.compile(r"(MO|TU|WE|TH|FR|SA|SU)")


class CalendarRefused(ExplainedError):
    """The calendar is too large, or is none. The message says which."""


@dataclass(frozen=True, slots=True)
class AwayCalendar:
    """Disjoint times away within the window, and how many events were left out, by reason."""

    spans: tuple[Span, ...]
    skipped: tuple[tuple[str, int], ...] = ()


def parse_away(
    text: bytes, window: Span, zone: ZoneInfo, *, all_events: bool = False, min_seconds: int = MIN_SECONDS
) -> AwayCalendar:
    """Return when the calendar's owner is away. Times without a zone are local times of `zone`.

    Raises CalendarRefused.
    """
    spans: list[Span] = []
    skipped: dict[str, int] = {}
    events = [event for event in _events(text) if all_events or _is_away(event)]
    changed = {_occurrence_key(event, zone) for event in events if event.get("RECURRENCE-ID") is not None}
    recurring = 0
    for event in events:
        try:
            start, seconds = _start_and_length(event, zone)
            if event.get("RRULE") is None:
                starts: list[datetime] = [start]
            else:
                recurring += 1
                if recurring > MAX_RECURRING:
                    raise _Skipped("more recurring events than are followed")
                starts = _recurring_starts(event, start, window, zone)
        except _Skipped as reason:
            skipped[str(reason)] = skipped.get(str(reason), 0) + 1
            continue
        is_master = event.get("RECURRENCE-ID") is None
        uid = str(event.get("UID", ""))
        for at in map(_epoch, starts):
            if seconds >= min_seconds and not (is_master and (uid, at) in changed):
                spans.append(Span(at, at + seconds))
    return AwayCalendar(tuple(union(clip(spans, window))), tuple(sorted(skipped.items())))


class _Skipped(Exception):
    """An event is left out; the text says why."""


def _events(text: bytes) -> list[Any]:
    from icalendar import Calendar  # noqa: PLC0415 - only who imports a calendar needs it

    if len(text) > MAX_BYTES:
        raise CalendarRefused(f"the calendar is larger than {MAX_BYTES // 1000} kB: export a shorter time")
    try:
        calendar = Calendar.from_ical(text)
        events = list(islice(calendar.walk("VEVENT"), MAX_EVENTS + 1))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise CalendarRefused("this is no calendar in iCalendar format") from error
    if len(events) > MAX_EVENTS:
        raise CalendarRefused(f"the calendar has more than {MAX_EVENTS} events: export a shorter time")
    return [event for event in events if str(event.get("STATUS", "")).upper() != "CANCELLED"]


def _is_away(event: Any) -> bool:
    return AWAY_WORDS.search(str(event.get("SUMMARY", ""))[:300]) is not None


def _start_and_length(event: Any, zone: ZoneInfo) -> tuple[datetime, int]:
    """Return an event's start, aware, and its length in seconds. Raises _Skipped."""
    try:
        given = event["DTSTART"].dt
        start = _aware(given, zone)
        if event.get("DTEND") is not None:
            end = _aware(event["DTEND"].dt, zone)
        elif event.get("DURATION") is not None:
            end = start + event["DURATION"].dt
        else:
            end = start + timedelta(days=0 if isinstance(given, datetime) else 1)
        return start, _epoch(end) - _epoch(start)
    except (KeyError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise _Skipped("no readable time") from error


def _aware(value: date | datetime, zone: ZoneInfo) -> datetime:
    """Return a date's midnight or a time in its zone, else in `zone`."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), zone)
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def _epoch(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _occurrence_key(event: Any, zone: ZoneInfo) -> tuple[str, int]:
    """Return which occurrence a changed event replaces; one that can't be read replaces none."""
    try:
        return str(event.get("UID", "")), _epoch(_aware(event["RECURRENCE-ID"].dt, zone))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return "", -1


def _recurring_starts(event: Any, start: datetime, window: Span, zone: ZoneInfo) -> list[datetime]:
    """Return the starts before the window's end, followed in local time. Raises _Skipped."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - only a recurring event needs it

    try:
        rule = _bounded_rule(event["RRULE"])
    except ValueError as error:
        raise _Skipped("a recurrence that can't be read") from error
    if start.year < _FIRST_YEAR:
        raise _Skipped(f"recurs since before {_FIRST_YEAR}")
    local = start.replace(tzinfo=None)
    until = datetime.fromtimestamp(window.end, UTC).astimezone(start.tzinfo).replace(tzinfo=None)
    try:
        found = islice(rrulestr(rule, dtstart=local), MAX_OCCURRENCES)
        starts = list(_until(found, until))
    except (ValueError, TypeError, OverflowError) as error:
        raise _Skipped("a recurrence that can't be read") from error
    left_out = set(_exceptions(event, zone))
    aware = [at.replace(tzinfo=start.tzinfo) for at in starts]
    return [at for at in aware if _epoch(at) not in left_out]


def _until(found: Iterator[datetime], until: datetime) -> Iterator[datetime]:
    for at in found:
        if at >= until:
            return
        yield at


def _bounded_rule(given: Any) -> str:
    """Return the rule as text if it surely has a next occurrence. Raises _Skipped."""
    if isinstance(given, list):
        raise _Skipped("several recurrences in an event")
    parts = {str(name).upper(): value for name, value in given.items()}
    frequency = str((parts.get("FREQ") or [""])[0]).upper()
    days = [str(day).upper() for day in parts.get("BYDAY", [])]
    if frequency not in _FREQUENCIES or not _PARTS.issuperset(parts):
        raise _Skipped("a recurrence of a kind that is not followed")
    if frequency in ("MONTHLY", "YEARLY") and not all(map(_PLAIN_DAYS.fullmatch, days)):
        raise _Skipped("a recurrence of a kind that is not followed")
    text = str(given.to_ical().decode())
    # Starts are followed in local time, and dateutil compares them with a local end.
    return re.sub(r"(UNTIL=\d{8}(?:T\d{6})?)Z", r"\1", text, flags=re.IGNORECASE)


def _exceptions(event: Any, zone: ZoneInfo) -> Iterator[int]:
    given = event.get("EXDATE")
    for dates in given if isinstance(given, list) else [given] if given is not None else []:
        for value in getattr(dates, "dts", []):
            yield _epoch(_aware(value.dt, zone))
