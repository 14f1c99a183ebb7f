"""Whether incidents come more often, and since when. "No trend" is an answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.statistics.change_points import ChangePoint, change_points
from calmo_pagerduty.statistics.counts import Dispersion, dispersion_around, dispersion_of, mean_interval
from calmo_pagerduty.statistics.estimators import Interval, benjamini_hochberg_adjusted
from calmo_pagerduty.statistics.log_linear import Growth, fit_growth
from calmo_pagerduty.statistics.point_processes import (
    PowerLaw,
    TrendTest,
    laplace_test,
    military_handbook_test,
    permuted_trend,
    power_law,
)
from calmo_pagerduty.trends.series import Series

#: Of the trends that are reported, at most this share is expected to be false.
FALSE_DISCOVERY_RATE = 0.05
#: The probability that a rate without a change is said to have changed.
CHANGE_LEVEL = 0.01
MIN_INCIDENTS = 10
MIN_WEEKS = 8


class Verdict(StrEnum):
    MORE = "more incidents"
    FEWER = "fewer incidents"
    NO_TREND = "no trend"
    #: Too few incidents, or too short a time.
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True)
class Trend:
    """The trend of one series. Tests are None where there are too few incidents.

    `p_value` is the largest of the tests that apply: all that do must agree. `adjusted` is it after
    Benjamini and Hochberg over everything that was tested with it.
    """

    verdict: Verdict
    incidents: int
    weeks: tuple[int, ...]
    #: Incidents per week, with its 95 % interval; None without a whole week.
    rate: float | None = None
    interval: Interval | None = None
    dispersion: Dispersion | None = None
    laplace: TrendTest | None = None
    military_handbook: TrendTest | None = None
    permuted: TrendTest | None = None
    law: PowerLaw | None = None
    growth: Growth | None = None
    changes: tuple[ChangePoint, ...] = ()
    p_value: float | None = None
    adjusted: float | None = None
    reason: str = ""


def trend_of(series: Series) -> Trend:
    """Return the trend of one series by itself: `judge` then compares it with the others."""
    weeks = series.weeks
    times = series.within(series.whole_weeks)
    if not weeks:
        return Trend(Verdict.INSUFFICIENT, 0, weeks, reason="not one whole week is known")
    growth = fit_growth(weeks)
    dispersion = (
        dispersion_of(weeks) if growth is None else dispersion_around(growth.residuals, len(weeks) - 2)
    )
    ratio = 1.0 if dispersion is None else dispersion.ratio
    total = mean_interval(len(times), ratio)
    found = Trend(
        Verdict.INSUFFICIENT,
        len(times),
        weeks,
        rate=len(times) / len(weeks),
        interval=Interval(total.low / len(weeks), total.high / len(weeks)),
        dispersion=dispersion,
        growth=growth,
    )
    if len(times) < MIN_INCIDENTS or len(weeks) < MIN_WEEKS:
        return replace(
            found,
            reason=f"{count_text(len(times), 'incident')} in {len(weeks)} weeks; a trend needs"
            f" {MIN_INCIDENTS} incidents in {MIN_WEEKS} weeks",
        )
    return _tested(
        found, [float(time - series.whole_weeks.start) for time in times], series.whole_weeks.seconds
    )


def _tested(found: Trend, times: Sequence[float], until: int) -> Trend:
    permuted = permuted_trend(found.weeks)
    tests = [permuted]
    laplace = military = law = None
    if found.dispersion is not None and found.dispersion.is_poisson:
        laplace, military = laplace_test(times, float(until)), military_handbook_test(times, float(until))
        law = power_law(times, float(until))
        tests.append(laplace)
    known = [test.p_value for test in tests if test is not None]
    return replace(
        found,
        verdict=Verdict.NO_TREND,
        laplace=laplace,
        military_handbook=military,
        permuted=permuted,
        law=law,
        changes=change_points(found.weeks, CHANGE_LEVEL),
        p_value=max(known, default=1.0),
    )


def judge(trends: Sequence[Trend]) -> tuple[Trend, ...]:
    """Return the trends with verdicts: those that stay under the false discovery rate of all together."""
    tested = [index for index, trend in enumerate(trends) if trend.p_value is not None]
    adjusted = benjamini_hochberg_adjusted([trends[index].p_value or 0.0 for index in tested])
    judged = list(trends)
    for index, value in zip(tested, adjusted, strict=True):
        judged[index] = replace(trends[index], adjusted=value, verdict=_verdict(trends[index], value))
    return tuple(judged)


def _verdict(trend: Trend, adjusted: float) -> Verdict:
    if adjusted > FALSE_DISCOVERY_RATE or trend.permuted is None:
        return Verdict.NO_TREND
    return Verdict.MORE if trend.permuted.direction > 0 else Verdict.FEWER
