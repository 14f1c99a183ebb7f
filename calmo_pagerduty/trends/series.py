"""Counts of incidents in equal local times: days, half-days and weeks of one zone. Pure.

Times are epoch seconds (UTC). Days begin at local midnight, so that one has 23 or 25 hours where the clock
changes. A series ends with the last whole day before `now`, and weeks are counted back from there.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import HOUR, split_at_local_times
from calmo_pagerduty.kernel.local_hours import local_midnights
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, SectionName, SectionState, Service

UTC_ZONE = ZoneInfo("Etc/UTC")
DAYS_PER_WEEK = 7
#: A shift of twelve hours is by day, from 8 to 20 of local time, or by night.
SHIFT_BEGINS = (8, 20)
SHIFTS_PER_WEEK = 14


@dataclass(frozen=True, slots=True)
class Observed:
    """The time whose incidents are known; `problem` says in words why there is none."""

    window: Span
    problem: str = ""

    @property
    def is_known(self) -> bool:
        return not self.problem


def observed(snapshot: AccountSnapshot, now: int) -> Observed:
    """Return the time in which every incident of the account is known.

    It begins with the account's first incident: before it, the account may not have existed, and those quiet
    months would make a trend of every service.
    """
    section = snapshot.section(SectionName.INCIDENTS)
    end = min(now, snapshot.taken_at)
    earliest = end if section.since is None else section.since
    first = min((incident.created_at for incident in snapshot.incidents), default=earliest)
    window = Span(min(first, end), end)
    if section.state is SectionState.COMPLETE:
        return Observed(window)
    words = str(section.state).replace("_", " ")
    return Observed(window, f"the past incidents are {words}: what is missing would look like a trend")


def account_zone(snapshot: AccountSnapshot) -> ZoneInfo:
    """Return the account's zone; UTC if it is unknown."""
    return time_zone(snapshot.time_zone) or UTC_ZONE


def service_zone(snapshot: AccountSnapshot, service: Service) -> ZoneInfo:
    """Return the zone of a service's support hours, else the account's."""
    own = None if service.support_hours is None else time_zone(service.support_hours.time_zone)
    return own or account_zone(snapshot)


@lru_cache(maxsize=256)
def day_starts(window: Span, zone: ZoneInfo) -> tuple[int, ...]:
    """Return the local midnights within the window; the last one ends the last whole day."""
    return tuple(local_midnights(window, zone))


@lru_cache(maxsize=256)
def shift_starts(window: Span, zone: ZoneInfo) -> tuple[int, ...]:
    """Return when shifts of twelve hours begin within the window, a day shift first."""
    times = [hour * HOUR for hour in SHIFT_BEGINS]
    starts = [
        piece.start
        for piece in split_at_local_times(window, zone, times)
        if piece.time_of_day in times and piece.start > window.start
    ]
    starts = sorted(dict.fromkeys(starts))
    by_day = [start for start in starts if _local_hour(start, zone) == SHIFT_BEGINS[0]]
    return tuple(start for start in starts if by_day and start >= by_day[0])


def _local_hour(at: int, zone: ZoneInfo) -> int:
    return next(iter(split_at_local_times(Span(at, at + 1), zone))).time_of_day // HOUR


def counts_between(times: Sequence[int], cuts: Sequence[int]) -> tuple[int, ...]:
    """Return how many of the times (ascending) fall between each pair of neighbouring cuts."""
    places = [bisect_left(times, cut) for cut in cuts]
    return tuple(end - start for start, end in pairwise(places))


@dataclass(frozen=True)
class Series:
    """The incidents of one thing, and the window in which all of them are known. `times` are ascending."""

    times: tuple[int, ...]
    window: Span
    zone: ZoneInfo

    @cached_property
    def day_starts(self) -> tuple[int, ...]:
        return day_starts(self.window, self.zone)

    @cached_property
    def days(self) -> tuple[int, ...]:
        """Incidents per whole local day, earliest first."""
        return counts_between(self.times, self.day_starts)

    @cached_property
    def weeks(self) -> tuple[int, ...]:
        """Incidents per seven days, the last of which ends with the last whole day."""
        first = len(self.days) % DAYS_PER_WEEK
        return tuple(
            sum(self.days[start : start + DAYS_PER_WEEK])
            for start in range(first, len(self.days), DAYS_PER_WEEK)
        )

    @cached_property
    def whole(self) -> Span:
        """The time of the whole days; empty if there is none."""
        if len(self.day_starts) < 2:
            return Span(self.window.end, self.window.end)
        return Span(self.day_starts[0], self.day_starts[-1])

    @cached_property
    def whole_weeks(self) -> Span:
        """The time of `weeks`."""
        if not self.weeks:
            return Span(self.whole.end, self.whole.end)
        return Span(self.day_starts[len(self.days) % DAYS_PER_WEEK], self.whole.end)

    def within(self, span: Span) -> tuple[int, ...]:
        """Return the incidents' times within a span."""
        return self.times[bisect_left(self.times, span.start) : bisect_left(self.times, span.end)]


def series_of(incidents: Iterable[Incident], window: Span, zone: ZoneInfo) -> Series:
    times = sorted(item.created_at for item in incidents if window.start <= item.created_at < window.end)
    return Series(tuple(times), window, zone)
