"""Watch for a doubled rate of incidents, day by day: CUSUM with a stated rate of false alarms. Pure.

The base rate is that of the weeks before the watched ones, so that a rise doesn't hide itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.statistics.counts import dispersion_of
from calmo_pagerduty.statistics.cusum import CusumDesign, design_cusum, next_value
from calmo_pagerduty.trends.series import Series

#: The rate is watched for becoming this many times as high.
RAISED = 2.0
#: Days between two false alarms of one watch, on average.
FALSE_ALARM_EVERY = 1000.0
WATCHED_DAYS = 28
MIN_BASE_DAYS = 56
MIN_BASE_INCIDENTS = 8


@dataclass(frozen=True, slots=True)
class Rise:
    """The watch of one series. `values` is S after each watched day; `alarms` are indices of those days."""

    design: CusumDesign
    base_incidents: int
    base_days: int
    values: tuple[float, ...]
    alarms: tuple[int, ...]
    #: Incidents per watched day.
    counts: tuple[int, ...]

    @property
    def watched_rate(self) -> float:
        return sum(self.counts) / max(1, len(self.counts))


def design_for(base: Sequence[int]) -> CusumDesign | None:
    """Return the watch for counts per day; None for too few days or incidents."""
    total = sum(base)
    if len(base) < MIN_BASE_DAYS or total < MIN_BASE_INCIDENTS:
        return None
    dispersion = dispersion_of(base)
    # Rounded: services of similar rates then share their designs, which take a moment to compute.
    rate = float(f"{total / len(base):.2g}")
    ratio = 1.0 if dispersion is None else round(dispersion.ratio, 1)
    return design_cusum(rate, RAISED * rate, FALSE_ALARM_EVERY, max(1.0, ratio))


def advance(design: CusumDesign, value: float, count: int) -> tuple[float, bool]:
    """Return S after one more day, and whether it raised an alarm, after which S starts at 0 again."""
    value = next_value(value, count, design.k)
    return (0.0, True) if value >= design.h else (value, False)


def watch_rise(series: Series) -> Rise | None:
    """Return what the watch of the last days says; None for too few incidents before them."""
    base, watched = series.days[:-WATCHED_DAYS], series.days[-WATCHED_DAYS:]
    design = design_for(base)
    if design is None:
        return None
    values, alarms, value = [], [], 0.0
    for index, count in enumerate(watched):
        value, is_alarm = advance(design, value, count)
        values.append(value)
        if is_alarm:
            alarms.append(index)
    return Rise(design, sum(base), len(base), tuple(values), tuple(alarms), watched)
