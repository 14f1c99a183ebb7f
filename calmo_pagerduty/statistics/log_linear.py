"""A rate that grows by the same factor in each unit of time, and when it reaches a limit. Pure.

Source: D. R. Cox, P. A. W. Lewis, "The Statistical Analysis of Series of Events" (1966), 3.3, for counts in
equal times: log E[xᵢ] = a + b i by Fisher scoring; the covariance is widened by the dispersion of the
residuals (quasi-Poisson: P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), 6.2.3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.statistics.estimators import Z_95, Interval

_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Growth:
    """log of the rate at index x is `level` + `slope` (x - `middle`). Errors are standard errors.

    `level` and `slope` are uncorrelated, because `middle` is the mean of the indices weighted by counts.
    """

    level: float
    slope: float
    middle: float
    level_error: float
    slope_error: float
    #: Pearson's Σ (x - mean)² / mean, on two degrees of freedom fewer than counts.
    residuals: float

    def rate(self, index: float) -> float:
        return math.exp(min(700.0, self.level + self.slope * (index - self.middle)))

    def interval(self, index: float, z: float = Z_95) -> Interval:
        """Return the interval of the rate at an index; it widens the further that lies away."""
        spread = z * math.hypot(self.level_error, self.slope_error * (index - self.middle))
        log = self.level + self.slope * (index - self.middle)
        return Interval(math.exp(min(700.0, log - spread)), math.exp(min(700.0, log + spread)))

    def factor(self, units: float) -> tuple[float, Interval]:
        """Return by what the rate is multiplied in so many units of time, with its interval."""
        low, high = (
            math.exp(max(-700.0, min(700.0, (self.slope + sign * Z_95 * self.slope_error) * units)))
            for sign in (-1, 1)
        )
        return math.exp(max(-700.0, min(700.0, self.slope * units))), Interval(low, high)


@dataclass(frozen=True, slots=True)
class Crossing:
    """When the rate reaches a limit, in units after the last count. `latest` None: perhaps never."""

    expected: int
    earliest: int
    latest: int | None


def fit_growth(counts: Sequence[int]) -> Growth | None:
    """Return the fit of counts in equal times; None for fewer than four of them, or fewer than two events."""
    number, total = len(counts), sum(counts)
    if number < 4 or total < 2:
        return None
    level, slope = math.log(total / number), 0.0
    middle = (number - 1) / 2
    for _ in range(_ROUNDS):
        means = [math.exp(max(-50.0, min(50.0, level + slope * (x - middle)))) for x in range(number)]
        weight = math.fsum(means)
        centre = math.fsum(mean * x for x, mean in enumerate(means)) / weight
        level, middle = level + slope * (centre - middle), centre
        squares = math.fsum(mean * (x - centre) ** 2 for x, mean in enumerate(means))
        if squares <= 0:
            return None
        step = math.fsum(
            (count - mean) * (x - centre) for x, (count, mean) in enumerate(zip(counts, means, strict=True))
        )
        change = max(-1.0, min(1.0, step / squares))
        level, slope = level + (total - weight) / weight, slope + change
        if abs(change) < 1e-12 and abs(total - weight) < 1e-9 * total:
            break
    pearson = math.fsum((count - mean) ** 2 / mean for count, mean in zip(counts, means, strict=True))
    dispersion = max(1.0, pearson / (number - 2))
    return Growth(
        level, slope, middle, math.sqrt(dispersion / weight), math.sqrt(dispersion / squares), pearson
    )


def crossing(growth: Growth, last: int, limit: float, most: int) -> Crossing | None:
    """Return in how many units after index `last` the rate reaches `limit`; None if not within `most`.

    The interval holds the times at which the rate's own 95 % interval contains the limit.
    """
    ahead = range(most + 1)
    expected = next((units for units in ahead if growth.rate(last + units) >= limit), None)
    if expected is None:
        return None
    earliest = next(units for units in ahead if growth.interval(last + units).high >= limit)
    latest = next((units for units in ahead if growth.interval(last + units).low >= limit), None)
    return Crossing(expected, earliest, latest)
