"""CUSUM: has the rate of counts become larger? Counts are looked at as they come, one after another. Pure.

S₀ = 0, Sₜ = max(0, Sₜ₋₁ + xₜ - k); an alarm is raised when Sₜ ≥ h, and S starts at 0 again.
Source: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954) 100-115; J. M. Lucas, "Counted data
CUSUM's", Technometrics 27 (1985) 129-144 for counts.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from calmo_pagerduty.statistics.counts import CountDistribution

#: k and h are multiples of 1 / _STEPS, so that S has finitely many values and the chain below is exact.
_STEPS = 10
#: h is looked for up to this value.
_MAX_THRESHOLD = 60


@dataclass(frozen=True, slots=True)
class CusumDesign:
    """What is watched for: `base` counts per unit of time becoming `raised`. `k` and `h` are in counts.

    `false_alarm_every` is the mean number of units until an alarm while the rate is still `base`, and
    `detects_after` the mean number once it is `raised`: average run lengths of counts with this dispersion
    (variance / mean; 1 is Poisson's).
    """

    base: float
    raised: float
    dispersion: float
    k: float
    h: float
    false_alarm_every: float
    detects_after: float


def reference_value(base: float, raised: float) -> float:
    """Return k = (λ₁ - λ₀) / ln(λ₁ / λ₀), with which CUSUM is the sequential likelihood ratio test."""
    return (raised - base) / math.log(raised / base)


def next_value(value: float, count: int, k: float) -> float:
    """Return S after one more count, rounded to the steps of k: no error piles up in what is stored."""
    return max(0.0, round((value + count - k) * _STEPS) / _STEPS)


@lru_cache(maxsize=4096)
def average_run_length(rate: float, k: float, h: float, dispersion: float = 1.0) -> float:
    """Return the mean number of counts until an alarm, from S = 0. `k` and `h` are tenths.

    S is a Markov chain on 0, 0.1, …, h - 0.1; run lengths L solve (I - R) L = 1, where R holds its
    transitions. Infinite if an alarm practically never comes.
    Source: D. Brook, D. A. Evans, "An approach to the probability distribution of CUSUM run length",
    Biometrika 59 (1972) 539-549; exact here because S has no other values.
    """
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    step, states = round(k * _STEPS), round(h * _STEPS)
    counts = range((states + step) // _STEPS + 1)
    distribution = CountDistribution(rate, dispersion)
    sums = [distribution.cdf(count) for count in counts]
    chances = [high - low for low, high in zip([0.0, *sums], sums, strict=False)]
    moves = np.zeros((states, states))
    for count, chance in zip(counts, chances, strict=True):
        for state in range(states):
            target = max(0, state + count * _STEPS - step)
            if target < states:
                moves[state, target] += chance
    try:
        lengths = np.linalg.solve(np.eye(states) - moves, np.ones(states))
    except np.linalg.LinAlgError:
        return math.inf
    # Beyond the precision of doubles the solution is noise.
    return float(lengths[0]) if 0 < lengths[0] < 1e12 else math.inf


@lru_cache(maxsize=1024)
def design_cusum(
    base: float, raised: float, false_alarm_every: float, dispersion: float = 1.0
) -> CusumDesign:
    """Return the CUSUM with the smallest threshold that alarms falsely no more often than that.

    `false_alarm_every` is in units of time, as the rates are. Raises ValueError unless 0 < base < raised.
    """
    if not 0 < base < raised:
        raise ValueError(f"the raised rate {raised} must be larger than the base {base}, and both above 0")
    k = max(1, round(reference_value(base, raised) * _STEPS)) / _STEPS
    if k <= base:
        # The nearest tenth isn't above the base: S would climb by itself.
        k = (math.floor(base * _STEPS) + 1) / _STEPS
    low, high = 0, _STEPS
    while (
        average_run_length(base, k, high / _STEPS, dispersion) < false_alarm_every
        and high < _MAX_THRESHOLD * _STEPS
    ):
        low, high = high, min(2 * high, _MAX_THRESHOLD * _STEPS)
    while high - low > 1:
        middle = (low + high) // 2
        if average_run_length(base, k, middle / _STEPS, dispersion) >= false_alarm_every:
            high = middle
        else:
            low = middle
    h = high / _STEPS
    lengths = [average_run_length(rate, k, h, dispersion) for rate in (base, raised)]
    return CusumDesign(base, raised, dispersion, k, h, *lengths)
