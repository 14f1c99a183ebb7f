"""Rates of Poisson events: the exact interval of a rate, and the exact comparison of two rates."""

import math
from collections.abc import Callable
from functools import lru_cache

from calmo_pagerduty.statistics.estimators import Interval

#: Bisection ends earlier, once no double lies between: the result is exact to a double's precision.
_HALVINGS = 200


@lru_cache(maxsize=4096)
def garwood_interval(count: int, confidence: float = 0.95) -> Interval:
    """Return the exact (Garwood) interval of a Poisson mean, of which `count` events were seen.

    Unlike a proportion's, its ends may lie above 1. Divide them by the exposure for a rate.
    Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936) 437-442.
    scipy: `chi2.ppf(a / 2, 2 * n) / 2`, `chi2.ppf(1 - a / 2, 2 * n + 2) / 2`.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _root(lambda mean: 1 - _poisson_cdf(count - 1, mean) - tail, count)
    return Interval(low, _root(lambda mean: tail - _poisson_cdf(count, mean), count))


def rate_increase_p_value(
    before: int, after: int, exposure_before: float, exposure_after: float
) -> float | None:
    """Return the one-sided p-value of "the rate after is higher": exact and conditional on the total.

    None without events or exposure.
    Source: J. Przyborowski, H. Wilenski, Biometrika 31 (1940) 313-323: given the total, `after` is
    binomial with the share of the exposure. scipy: `binomtest(after, total, share, "greater").pvalue`.
    """
    total, exposure = before + after, exposure_before + exposure_after
    if total == 0 or exposure_before <= 0 or exposure_after <= 0:
        return None
    share = exposure_after / exposure
    return min(1.0, sum(_binomial(total, count, share) for count in range(after, total + 1)))


def _binomial(of: int, count: int, share: float) -> float:
    log = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
    return math.exp(log + count * math.log(share) + (of - count) * math.log1p(-share))


def _poisson_cdf(count: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _root(rising: Callable[[float], float], count: int) -> float:
    """Return where the function, which rises, is 0: between 0 and far above `count`."""
    low, high = 0.0, count + 20 * math.sqrt(count + 1) + 20
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
