"""Checks on-call plans against working-time limits: daily and weekly rest, and average hours. Pure.

It is indicative: whether stand-by is work depends on its constraints, and national law differs.
Source: directive 2003/88/EC: article 3 (11 h of rest per 24 h), article 5 (24 h and those 11 h per 7 days),
article 6 and 16 (48 h per week on average, over up to four months: 17 weeks).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span, clip, subtract, total_seconds, union
from calmo_pagerduty.kernel.local_bands import DAY, HOUR, local_date, split_at_local_times, split_into_days
from calmo_pagerduty.workload.hours import CalendarOf, HolidayCalendar
from calmo_pagerduty.workload.interruptions import Interruption
from calmo_pagerduty.workload.people import OnCallTimes, Person
from calmo_pagerduty.workload.rules import WorkingTimeRules, seconds_of_day

WEEK_DAYS = 7
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEGAL_TEXT = "Indicative, not legal advice: national law and contracts differ, above all on stand-by time."


class Limit(StrEnum):
    DAILY_REST = "daily_rest"
    WEEKLY_REST = "weekly_rest"
    AVERAGE_HOURS = "average_hours"


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is not kept within `span`: `found` hours, where `limit` hours are required or allowed."""

    limit: Limit
    span: Span
    found: float
    required: float


@dataclass(frozen=True, slots=True)
class PersonWorkingTime:
    """A person's check. `average_hours` are per week, over `weeks` whole weeks; None if there is none.

    `is_average_conclusive` is False if the window has fewer weeks than the template averages over.
    """

    person: Person
    breaches: tuple[Breach, ...]
    average_hours: float | None
    weeks: int
    is_average_conclusive: bool


def check_working_time(
    times: OnCallTimes,
    people: Mapping[str, Person],
    interrupted: Mapping[str, Sequence[Interruption]] | None,
    rules: WorkingTimeRules,
    calendar_of: CalendarOf,
) -> tuple[PersonWorkingTime, ...]:
    """Check everybody who is on call in the window of `times`."""
    checked = []
    for user_id, held in times.by_person.items():
        person, calls = people[user_id], () if interrupted is None else interrupted.get(user_id, ())
        worked = worked_times(person, held, calls, rules, times.window, calendar_of)
        checked.append(_check_person(person, worked, rules, times.window))
    return tuple(checked)


def worked_times(
    person: Person,
    held: Sequence[Span],
    interrupted: Sequence[Interruption],
    rules: WorkingTimeRules,
    window: Span,
    calendar_of: CalendarOf,
) -> list[Span]:
    """Return when a person works: contractual hours, and stand-by, or else the call-outs within it."""
    years = (local_date(window.start, person.zone).year, local_date(window.end, person.zone).year)
    calendar = calendar_of(person, *years)
    regular = _regular_times(person, rules, window, calendar)
    if rules.stand_by_is_work:
        return union([*regular, *held])
    length = rules.call_out_minutes * 60
    return union([*regular, *clip((Span(item.at, item.at + length) for item in interrupted), window)])


def daily_rest_breaches(worked: Sequence[Span], window: Span, hours: int) -> tuple[Breach, ...]:
    """Return the periods of 24 hours, from a start of work on, that have no uninterrupted rest of `hours`."""
    rests = subtract([window], worked)
    breaches: list[Breach] = []
    position = _next_work(worked, window.start)
    while position is not None and position + DAY <= window.end:
        period = Span(position, position + DAY)
        enough = next((rest for rest in clip(rests, period) if rest.seconds >= hours * HOUR), None)
        if enough is None:
            longest = max((rest.seconds for rest in clip(rests, period)), default=0)
            breaches.append(Breach(Limit.DAILY_REST, period, longest / HOUR, hours))
            position = _next_work(worked, period.end)
        else:
            position = _next_work(worked, enough.end)
    return tuple(breaches)


def weekly_rest_breaches(
    worked: Sequence[Span], person: Person, window: Span, hours: int
) -> tuple[Breach, ...]:
    """Return the whole calendar weeks, Monday to Sunday in local time, without an uninterrupted rest."""
    rests = subtract([window], worked)
    breaches: list[Breach] = []
    for week in whole_weeks(person, window):
        longest = max((rest.seconds for rest in clip(rests, week)), default=0)
        if longest < hours * HOUR:
            breaches.append(Breach(Limit.WEEKLY_REST, week, longest / HOUR, hours))
    return tuple(breaches)


def whole_weeks(person: Person, window: Span) -> list[Span]:
    """Return the calendar weeks that lie within a window, in the person's zone."""
    days = split_into_days(window, person.zone)
    whole = [day for day in days if day.start > window.start or _begins_day(day.start, person)]
    weeks: dict[object, list[Span]] = {}
    for day in whole:
        monday = day.date - timedelta(days=day.date.weekday())
        weeks.setdefault(monday, []).append(Span(day.start, day.end))
    # Some zones skipped a day once; the last day of a window may be cut.
    found = [Span(parts[0].start, parts[-1].end) for parts in weeks.values() if len(parts) >= WEEK_DAYS]
    return [week for week in found if week.end < window.end or _begins_day(window.end, person)]


def _check_person(
    person: Person, worked: Sequence[Span], rules: WorkingTimeRules, window: Span
) -> PersonWorkingTime:
    weeks = whole_weeks(person, window)
    recent = weeks[-rules.average_over_weeks :]
    average = None
    breaches = [
        *daily_rest_breaches(worked, window, rules.daily_rest_hours),
        *weekly_rest_breaches(worked, person, window, rules.weekly_rest_hours),
    ]
    if recent:
        # The worst run of weeks counts, not only the last.
        runs = [weeks[i : i + len(recent)] for i in range(len(weeks) - len(recent) + 1)]
        averages = [(_hours_in(worked, run) / len(run), run) for run in runs]
        average, run = max(averages, key=lambda item: item[0])
        if average > rules.max_average_weekly_hours:
            span = Span(run[0].start, run[-1].end)
            breaches.append(Breach(Limit.AVERAGE_HOURS, span, average, rules.max_average_weekly_hours))
    return PersonWorkingTime(
        person, tuple(breaches), average, len(recent), len(recent) >= rules.average_over_weeks
    )


def _regular_times(
    person: Person, rules: WorkingTimeRules, window: Span, calendar: HolidayCalendar
) -> list[Span]:
    start, end = seconds_of_day(rules.regular_start), seconds_of_day(rules.regular_end)
    cuts = sorted({start, end} - {0, DAY})
    return union(
        Span(piece.start, piece.end)
        for piece in split_at_local_times(window, person.zone, cuts)
        if _WEEKDAYS[piece.weekday - 1] in rules.regular_days
        and start <= piece.time_of_day < end
        and piece.date not in calendar
    )


def _hours_in(worked: Sequence[Span], weeks: Sequence[Span]) -> float:
    return total_seconds(clip(worked, Span(weeks[0].start, weeks[-1].end))) / HOUR


def _next_work(worked: Sequence[Span], at: int) -> int | None:
    return next((max(span.start, at) for span in worked if span.end > at), None)


def _begins_day(at: int, person: Person) -> bool:
    return local_date(at, person.zone) != local_date(at - 1, person.zone)
