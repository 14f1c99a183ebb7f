"""Chances and intervals, by hand where a library would cost more than it saves."""

import math
from collections.abc import Sequence
from typing import NamedTuple

#: The two-sided 95 % quantile of the normal distribution.
Z_95 = 1.959964


class Interval(NamedTuple):
    low: float
    high: float


def wilson(successes: int, of: int, z: float = Z_95) -> Interval | None:
    """Return the Wilson interval of a share; None where nothing was counted."""
    if of <= 0:
        return None
    share, spread = successes / of, z * z / of
    centre = share + spread / 2
    margin = z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    low, high = (centre - margin) / (1 + spread), (centre + margin) / (1 + spread)
    return Interval(max(0.0, low), min(1.0, high))


def chance_of_one(rate: float, within: float) -> float:
    """Return how likely at least one event of a Poisson stream is; `rate` per the unit of `within`."""
    return -math.expm1(-rate * max(0.0, within))


def chance_of_many(count: int, expected: float) -> float:
    """Return how likely `count` or more events are, where `expected` are (Poisson). Never below 1e-15."""
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 1e-15
    # The upper tail is summed itself: 1 minus the lower one would lose all digits of a small chance.
    term = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    if count <= expected:
        lower = sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count))
        return min(1.0, max(1e-15, 1.0 - lower))
    total, k = 0.0, count
    while term > total * 1e-12:
        total += term
        k += 1
        term *= expected / k
    return min(1.0, max(1e-15, total))


def accepted(chances: Sequence[float], level: float) -> float:
    """Return the largest chance that Benjamini–Hochberg accepts at `level` among these; −1 if none.

    `chances` has one row per source looked at, those with nothing to show as 1. Where all of them are
    chance, the probability that any is accepted is at most `level`.
    """
    ranked = sorted(chances)
    passed = [one for rank, one in enumerate(ranked, 1) if one <= level * rank / len(ranked)]
    return passed[-1] if passed else -1.0
