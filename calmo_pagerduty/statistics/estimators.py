"""Intervals, tail probabilities and a multiple-testing threshold, in plain Python.

`scipy.stats` has all of them. It isn't imported here because its import takes seconds on a slow machine
(docs/decisions/0008-dependencies.md); the tests compare each function with it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

#: The 97.5 % quantile of the standard normal distribution: z of a two-sided 95 % interval.
Z_95 = 1.959964
#: The smallest p-value that we report: a Poisson model can't support less.
MIN_P_VALUE = 1e-15


class Interval(NamedTuple):
    """A confidence interval of a proportion; both ends lie within 0 and 1."""

    low: float
    high: float


def wilson_interval(successes: int, of: int, z: float = Z_95) -> Interval | None:
    """Return the Wilson score interval (without continuity correction) of the proportion successes / of.

    None if `of` is 0. `z` is the normal quantile of the confidence level.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927) 209-212. scipy: `binomtest(successes, of).proportion_ci(0.95, method="wilson")`.
    """
    if of <= 0:
        return None
    share, spread = successes / of, z * z / of
    centre = share + spread / 2
    margin = z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    low, high = (centre - margin) / (1 + spread), (centre + margin) / (1 + spread)
    return Interval(max(0.0, low), min(1.0, high))


def poisson_at_least_one(rate: float, within: float) -> float:
    """Return the probability of at least one event of a Poisson process within a time.

    `rate` is in events per the unit of `within`; a negative time counts as 0.
    Source: P(N ≥ 1) = 1 - exp(-rate * within), the exponential distribution's CDF.
    scipy: `poisson.sf(0, rate * within)`.
    """
    return -math.expm1(-rate * max(0.0, within))


def poisson_tail(count: int, expected: float) -> float:
    """Return the Poisson upper tail P(N ≥ count) for a mean of `expected`, never below MIN_P_VALUE.

    Source: P(N ≥ k) = Σ_{i ≥ k} exp(-m) m^i / i!. scipy: `poisson.sf(count - 1, expected)`.
    """
    if count <= 0:
        return 1.0
    if expected <= 0:
        return MIN_P_VALUE
    # Sum the upper tail itself: 1 minus the lower tail would lose all digits of a small p-value.
    term = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    if count <= expected:
        lower = sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count))
        return min(1.0, max(MIN_P_VALUE, 1.0 - lower))
    total, k = 0.0, count
    while term > total * 1e-12:
        total += term
        k += 1
        term *= expected / k
    return min(1.0, max(MIN_P_VALUE, total))


def benjamini_hochberg_threshold(chances: Sequence[float], level: float) -> float:
    """Return the largest p-value that the Benjamini-Hochberg procedure rejects at false discovery rate
    `level`; -1 if it rejects none.

    `chances` holds one p-value per source, 1 for a source without events. If all null hypotheses are
    true, the probability that any is rejected is at most `level`.
    Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57 (1995)
    289-300. scipy: a p-value counts if `false_discovery_control(chances) <= level` there.
    """
    ranked = sorted(chances)
    passed = [chance for rank, chance in enumerate(ranked, 1) if chance <= level * rank / len(ranked)]
    return passed[-1] if passed else -1.0


def benjamini_hochberg_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted by Benjamini and Hochberg, in the same order: the false discovery rate at
    which each would just count. Source and scipy: as above, `false_discovery_control(p_values)`.
    """
    order = sorted(range(len(p_values)), key=lambda index: (p_values[index], index))
    adjusted, smallest = [1.0] * len(p_values), 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        smallest = min(smallest, p_values[index] * len(p_values) / rank)
        adjusted[index] = smallest
    return tuple(adjusted)
