"""At which hours of the local week incidents begin, per hour that there really was. Pure.

The hour that a clock repeats in autumn counts twice, the one that it skips in spring not at all.
Source: Pearson's χ² of six parts of the day and of seven days, each against its share of real time, divided
by the dispersion of weekly counts (P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), 6.2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import HOUR
from calmo_pagerduty.kernel.local_hours import HOURS_OF_WEEK, hour_of_week, seconds_by_hour_of_week
from calmo_pagerduty.statistics.estimators import Interval, wilson_interval
from calmo_pagerduty.trends.series import Series

#: χ² needs about five expected incidents in each of seven days.
MIN_INCIDENTS = 35
PART_HOURS = 4
_PARTS = 24 // PART_HOURS
LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Season:
    """When incidents begin. `counts` and `hours` have 168 numbers, the first is Monday 00:00 to 01:00.

    `busiest` is the first hour of the week of the four that have the highest share; p-values are None for
    too few incidents.
    """

    counts: tuple[int, ...]
    hours: tuple[float, ...]
    incidents: int
    day_p_value: float | None
    part_p_value: float | None
    busiest: int | None = None
    busiest_share: float | None = None
    busiest_interval: Interval | None = None

    @property
    def is_patterned(self) -> bool:
        """Whether hours of the day or days of the week differ, at LEVEL for both together."""
        known = [value for value in (self.day_p_value, self.part_p_value) if value is not None]
        return bool(known) and min(known) < LEVEL / 2


def season_of(series: Series, dispersion: float) -> Season:
    """Return when the incidents of a series begin; `dispersion` is variance / mean of its weekly counts."""
    seconds = _exposure(series.whole, series)
    counts = [0] * HOURS_OF_WEEK
    for time in series.within(series.whole):
        counts[hour_of_week(time, series.zone)] += 1
    number = sum(counts)
    hours = tuple(value / HOUR for value in seconds)
    if number < MIN_INCIDENTS:
        return Season(tuple(counts), hours, number, None, None)
    days = [slice(24 * day, 24 * day + 24) for day in range(7)]
    day_p_value = _uneven([sum(counts[day]) for day in days], [sum(hours[day]) for day in days], dispersion)
    part_p_value = _uneven(_parts(counts), _parts(hours), dispersion)
    busiest = max(
        range(0, HOURS_OF_WEEK, PART_HOURS),
        key=lambda first: (sum(counts[first : first + PART_HOURS]), -first),
    )
    share = sum(counts[busiest : busiest + PART_HOURS])
    return Season(
        tuple(counts),
        hours,
        number,
        day_p_value,
        part_p_value,
        busiest,
        share / number,
        wilson_interval(share, number),
    )


def _exposure(span: Span, series: Series) -> list[int]:
    return seconds_by_hour_of_week([span], series.zone)


def _parts(values: Sequence[float]) -> list[float]:
    """Return sums by part of the day."""
    return [
        math.fsum(value for hour, value in enumerate(values) if hour % 24 // PART_HOURS == part)
        for part in range(_PARTS)
    ]


def _uneven(counts: Sequence[float], exposure: Sequence[float], dispersion: float) -> float:
    from scipy.special import gammaincc  # noqa: PLC0415 (seconds that a command starts without)

    total, time = math.fsum(counts), math.fsum(exposure)
    expected = [total * part / time for part in exposure]
    statistic = math.fsum(
        (count - mean) ** 2 / mean for count, mean in zip(counts, expected, strict=True) if mean > 0
    )
    return float(gammaincc((len(counts) - 1) / 2, statistic / dispersion / 2))
