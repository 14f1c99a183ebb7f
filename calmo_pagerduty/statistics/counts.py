"""Distributions of counts: Poisson's, and the negative binomial where counts are more uneven. Pure.

A `CountDistribution` has a mean and a dispersion, variance / mean: 1 is Poisson's. SciPy is imported where it
is used, because a command starts without it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.statistics.estimators import Interval
from calmo_pagerduty.statistics.luck import poisson_dispersion
from calmo_pagerduty.statistics.poisson_rates import garwood_interval

#: Counts with a smaller p-value of Poisson's dispersion are no longer treated as Poisson's.
DISPERSION_LEVEL = 0.05
#: A dispersion so close to 1 is Poisson's.
_POISSON = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How uneven counts are. `ratio` is variance / mean, at least 1; 1 unless the test rejects Poisson's.

    `statistic` is Fisher's Σ (x - mean)² / mean, χ² with `counts` - 1 degrees of freedom for Poisson
    counts; around fitted means, `counts` is one more than those degrees.
    """

    statistic: float
    p_value: float
    ratio: float
    counts: int

    @property
    def is_poisson(self) -> bool:
        """Nothing speaks against Poisson's distribution. That isn't a proof of it."""
        return self.p_value >= DISPERSION_LEVEL


def dispersion_of(counts: Sequence[int]) -> Dispersion | None:
    """Return how uneven counts in equal times are; None for fewer than two, or if all are 0."""
    tested = poisson_dispersion(counts)
    if tested is None:
        return None
    statistic, p_value = tested
    ratio = statistic / (len(counts) - 1) if p_value < DISPERSION_LEVEL else 1.0
    return Dispersion(statistic, p_value, max(1.0, ratio), len(counts))


def dispersion_around(residuals: float, freedom: int) -> Dispersion:
    """Return how uneven counts are around fitted means; `residuals` is Pearson's Σ (x - mean)² / mean.

    A growing rate alone doesn't make counts overdispersed then.
    """
    from scipy.special import gammaincc  # noqa: PLC0415 (seconds that a command starts without)

    p_value = float(gammaincc(freedom / 2, residuals / 2))
    ratio = residuals / freedom if p_value < DISPERSION_LEVEL else 1.0
    return Dispersion(residuals, p_value, max(1.0, ratio), freedom + 1)


@dataclass(frozen=True, slots=True)
class CountDistribution:
    """Poisson's distribution (dispersion 1), or the negative binomial of the same mean with more variance.

    Source of the parameters: r = mean / (dispersion - 1), success probability 1 / dispersion.
    """

    mean: float
    dispersion: float = 1.0

    def cdf(self, count: int) -> float:
        """Return P(N ≤ count)."""
        from scipy.special import betainc, gammaincc  # noqa: PLC0415 (seconds that a command starts without)

        if count < 0:
            return 0.0
        if self.mean <= 0:
            return 1.0
        if self.dispersion <= _POISSON:
            return float(gammaincc(count + 1, self.mean))
        size = self.mean / (self.dispersion - 1)
        return float(betainc(size, count + 1, 1 / self.dispersion))

    def quantile(self, share: float) -> int:
        """Return the smallest count that is not exceeded with at least this probability."""
        low, high = -1, max(1, math.ceil(self.mean))
        while self.cdf(high) < share:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.cdf(middle) >= share else (middle, high)
        return high


def mean_interval(total: int, dispersion: float) -> Interval:
    """Return a 95 % interval of the expected total: Garwood's, or its quasi-Poisson widening.

    With a dispersion φ above 1 the total carries the information of total / φ Poisson events: the interval is
    Garwood's of that many, times φ.
    Source: F. Garwood (1936); P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), 6.2.3.
    """
    from scipy.special import gammaincinv  # noqa: PLC0415 (seconds that a command starts without)

    if dispersion <= _POISSON:
        return garwood_interval(total)
    events = total / dispersion
    low = float(gammaincinv(events, 0.025)) if total else 0.0
    return Interval(low * dispersion, float(gammaincinv(events + 1, 0.975)) * dispersion)
