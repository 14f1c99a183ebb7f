"""Survival curves of right-censored times: Kaplan-Meier, Greenwood, restricted mean and log-rank tests.

Plain Python: `scipy.stats.ecdf` and `lifelines` have some of it, and their import takes seconds. Times have
whatever unit the caller uses. A time is *censored* if we stopped watching before the event came: the event
came later, or never.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.statistics.estimators import Z_95, Interval


class Duration(NamedTuple):
    """How long something was watched, and whether the event ended it; if not, it is censored."""

    time: float
    is_event: bool


class CurvePoint(NamedTuple):
    """The curve from `time` on, until the next point's time."""

    time: float
    at_risk: int
    events: int
    survival: float
    #: Greenwood's standard error of `survival`.
    standard_error: float


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """A Kaplan-Meier curve: a step at each time with an event. Before the first it is 1.

    `longest` is the longest watched time. Beyond it the curve is unknown, unless it has reached 0.
    """

    points: tuple[CurvePoint, ...]
    count: int
    events: int
    longest: float

    def at(self, time: float) -> float:
        """Return S(time). Beyond `longest` it is the last known value: an upper bound."""
        point = self._point(time)
        return 1.0 if point is None else point.survival

    def is_known_at(self, time: float) -> bool:
        return self.count > 0 and (time <= self.longest or self.at(self.longest) == 0.0)

    def interval_at(self, time: float, z: float = Z_95) -> Interval | None:
        """Return the log-log confidence interval of S(time); None where Greenwood's error is undefined.

        Source: J. D. Kalbfleisch, R. L. Prentice, "The Statistical Analysis of Failure Time Data", 1.4.1.
        """
        point = self._point(time)
        if point is None or not 0.0 < point.survival < 1.0:
            return None
        log = math.log(point.survival)
        spread = z * point.standard_error / (point.survival * abs(log))
        return Interval(point.survival ** math.exp(spread), point.survival ** math.exp(-spread))

    def restricted_mean(self, until: float) -> float:
        """Return the mean of min(time, until): the area under the curve from 0 to `until`.

        Source: P. Royston, M. K. B. Parmar, Stat. Med. 30 (2011) 2409-2421.
        """
        area, start, survival = 0.0, 0.0, 1.0
        for point in self.points:
            if point.time >= until:
                break
            area += survival * (point.time - start)
            start, survival = point.time, point.survival
        return area + survival * max(0.0, until - start)

    def quantile(self, share: float) -> float | None:
        """Return the time by which `share` of all have had the event; None if the curve stays above."""
        return next((point.time for point in self.points if point.survival <= 1.0 - share + 1e-12), None)

    def _point(self, time: float) -> CurvePoint | None:
        index = bisect_right(self.points, time, key=lambda point: point.time)
        return self.points[index - 1] if index else None


def kaplan_meier(durations: Iterable[Duration]) -> SurvivalCurve:
    """Return the product-limit estimate. At one time, events come before censorings.

    Source: E. L. Kaplan, P. Meier, JASA 53 (1958) 457-481; M. Greenwood (1926) for the standard error.
    """
    watched = sorted(durations)
    points: list[CurvePoint] = []
    survival, variance, passed = 1.0, 0.0, 0
    for time, events, leaving in _grouped(watched):
        at_risk = len(watched) - passed
        passed += leaving
        if not events:
            continue
        survival *= 1 - events / at_risk
        variance += events / (at_risk * (at_risk - events)) if at_risk > events else 0.0
        points.append(CurvePoint(time, at_risk, events, survival, survival * math.sqrt(variance)))
    longest = watched[-1].time if watched else 0.0
    return SurvivalCurve(tuple(points), len(watched), sum(point.events for point in points), longest)


class Weighting(StrEnum):
    """How a two-sample test weighs early against late events."""

    #: All alike: the log-rank test.
    LOG_RANK = "log_rank"
    #: By the number at risk: Gehan's and Breslow's generalised Wilcoxon test.
    WILCOXON = "wilcoxon"
    #: By the root of the number at risk.
    TARONE_WARE = "tarone_ware"
    #: By Peto and Peto's estimate of the common survival.
    PETO = "peto"


class SurvivalTest(NamedTuple):
    """`statistic` is chi-square distributed with 1 degree of freedom if both curves are the same."""

    statistic: float
    p_value: float
    #: The left sample's weighted events less those expected: above 0, they come sooner than the right's.
    difference: float


#: weight = f(number at risk, Peto's survival estimate just after this time).
_WEIGHTS: dict[Weighting, Callable[[int, float], float]] = {
    Weighting.LOG_RANK: lambda _at_risk, _survival: 1.0,
    Weighting.WILCOXON: lambda at_risk, _survival: float(at_risk),
    Weighting.TARONE_WARE: lambda at_risk, _survival: math.sqrt(at_risk),
    Weighting.PETO: lambda _at_risk, survival: survival,
}


def compare_survival(
    left: Sequence[Duration], right: Sequence[Duration], weighting: Weighting = Weighting.LOG_RANK
) -> SurvivalTest | None:
    """Test whether two samples have the same survival curve; None if no event can tell.

    Source: N. Mantel, Cancer Chemother. Rep. 50 (1966) 163-170; R. E. Tarone, J. Ware, Biometrika 64
    (1977) 156-160; R. Peto, J. Peto, J. R. Stat. Soc. A 135 (1972) 185-207.
    """
    weight_of = _WEIGHTS[weighting]
    everyone = sorted((*left, *right))
    difference = variance = 0.0
    survival, passed = 1.0, 0
    left_times = sorted(duration.time for duration in left)
    left_events = _event_counts(left)
    for time, events, leaving in _grouped(everyone):
        at_risk = len(everyone) - passed
        passed += leaving
        if not events:
            continue
        left_at_risk = len(left_times) - bisect_left(left_times, time)
        survival *= 1 - events / (at_risk + 1)
        weight, share = weight_of(at_risk, survival), left_at_risk / at_risk
        difference += weight * (left_events.get(time, 0) - events * share)
        if at_risk > 1:
            spread = events * share * (1 - share) * (at_risk - events) / (at_risk - 1)
            variance += weight * weight * spread
    if variance <= 0:
        return None
    statistic = difference * difference / variance
    return SurvivalTest(statistic, math.erfc(math.sqrt(statistic / 2)), difference)


def _grouped(watched: Sequence[Duration]) -> Iterable[tuple[float, int, int]]:
    """Return each distinct time with its events and with all who leave then. `watched` is sorted."""
    index = 0
    while index < len(watched):
        time, end = watched[index].time, index
        while end < len(watched) and watched[end].time == time:
            end += 1
        yield time, sum(duration.is_event for duration in watched[index:end]), end - index
        index = end


def _event_counts(durations: Iterable[Duration]) -> dict[float, int]:
    counts: dict[float, int] = {}
    for time, is_event in durations:
        if is_event:
            counts[time] = counts.get(time, 0) + 1
    return counts
