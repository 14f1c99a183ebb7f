"""Hours, nights, weekends, holidays and interruptions of each person, in the person's own time zone. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span, total_seconds, union
from calmo_pagerduty.kernel.local_bands import (
    HOUR,
    Band,
    band_at,
    local_date,
    seconds_by_band,
    split_into_bands,
    split_into_days,
)
from calmo_pagerduty.workload.interruptions import Interruption
from calmo_pagerduty.workload.people import OnCallTimes, Person

#: Public holidays for a person's days: name by date. Empty if none are configured.
HolidayCalendar = Mapping[date, str]
#: Finds the calendar of a person, for years from the first to the last.
CalendarOf = Callable[[Person, int, int], HolidayCalendar]
#: A night counts if a person is on call for so long of its sleep hours.
MIN_NIGHT_SECONDS = HOUR


def no_holidays(_person: Person, _first_year: int, _last_year: int) -> HolidayCalendar:
    """The calendar of who has none configured."""
    return {}


@dataclass(frozen=True, slots=True)
class PersonHours:
    """What a person bears within a window. Times on two schedules at once count once.

    `interruptions` and `sleep_interruptions` are None where log entries weren't read: unknown, not zero.
    """

    person: Person
    seconds: int
    double_duty_seconds: int
    by_band: Mapping[Band, int]
    nights: int
    weekend_seconds: int
    weekend_days: int
    holiday_seconds: int
    holidays: tuple[str, ...]
    interruptions: int | None
    sleep_interruptions: int | None


def person_hours(
    person: Person,
    times: OnCallTimes,
    interrupted: Sequence[Interruption] | None,
    calendar_of: CalendarOf = no_holidays,
) -> PersonHours:
    """Return what a person bears in the window of `times`. `interrupted` is None if unknown."""
    held = times.by_person.get(person.user_id, ())
    weekend_days: set[date] = set()
    holiday_days: dict[date, str] = {}
    weekend_seconds = holiday_seconds = 0
    calendar = calendar_of(person, *_years(times.window, person.zone))
    for span in held:
        for day in split_into_days(span, person.zone):
            if day.is_weekend:
                weekend_seconds += day.end - day.start
                weekend_days.add(day.date)
            if day.date in calendar:
                holiday_seconds += day.end - day.start
                holiday_days[day.date] = calendar[day.date]
    return PersonHours(
        person=person,
        seconds=total_seconds(held),
        double_duty_seconds=total_seconds(times.double_duty.get(person.user_id, ())),
        by_band=seconds_by_band(held, person.zone),
        nights=count_nights(held, person.zone),
        weekend_seconds=weekend_seconds,
        weekend_days=len(weekend_days),
        holiday_seconds=holiday_seconds,
        holidays=tuple(f"{day.isoformat()} {name}" for day, name in sorted(holiday_days.items())),
        interruptions=None if interrupted is None else len(interrupted),
        sleep_interruptions=None if interrupted is None else _asleep(interrupted, person.zone),
    )


def count_nights(held: Sequence[Span], zone: ZoneInfo) -> int:
    """Return the nights with at least an hour of sleep time on call. A night has the date of its morning."""
    seconds: dict[date, int] = {}
    for span in union(held):
        for part in split_into_bands(span, zone):
            if part.band is Band.SLEEP:
                morning = night_of(part.start, zone)
                seconds[morning] = seconds.get(morning, 0) + part.end - part.start
    return sum(length >= MIN_NIGHT_SECONDS for length in seconds.values())


def night_of(at: int, zone: ZoneInfo) -> date:
    """Return the date of the morning that ends the night of an instant within sleep hours."""
    # Nights begin at 22:00, so twelve hours later it is the next day; at 00:00 to 08:00 it still is the same.
    return local_date(at + 12 * HOUR, zone) if _is_evening(at, zone) else local_date(at, zone)


def sleep_interruptions(items: Sequence[Interruption], zone: ZoneInfo) -> tuple[Interruption, ...]:
    """Return the interruptions in a person's sleep hours, 22 to 8."""
    return tuple(item for item in items if band_at(item.at, zone) is Band.SLEEP)


def _asleep(items: Sequence[Interruption], zone: ZoneInfo) -> int:
    return len(sleep_interruptions(items, zone))


def _is_evening(at: int, zone: ZoneInfo) -> bool:
    return datetime.fromtimestamp(at, zone).hour >= 12


def _years(window: Span, zone: ZoneInfo) -> tuple[int, int]:
    return local_date(window.start, zone).year, local_date(window.end, zone).year
