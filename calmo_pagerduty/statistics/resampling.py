"""Bootstrap resamples that are the same on every machine and in every run.

Source: B. Efron, "Bootstrap methods: another look at the jackknife", Ann. Stat. 7 (1979) 1-26; the numbers
are those of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from calmo_pagerduty.statistics.estimators import Interval

T = TypeVar("T")
_MASK = (1 << 64) - 1


def random_numbers(seed: int) -> Iterator[int]:
    """Return 64-bit numbers without end, always the same ones for a seed."""
    state = seed & _MASK
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        yield mixed ^ (mixed >> 31)


def bootstrap_interval(
    sample: Sequence[T], statistic: Callable[[Sequence[T]], float], rounds: int, seed: int
) -> Interval | None:
    """Return the 95 % percentile interval of a statistic; None for an empty sample.

    The statistic may have any unit; the interval's ends need not lie within 0 and 1.
    """
    if not sample:
        return None
    numbers, values = random_numbers(seed), []
    for _ in range(rounds):
        values.append(statistic([sample[next(numbers) % len(sample)] for _ in sample]))
    values.sort()
    return Interval(values[int(0.025 * rounds)], values[min(rounds - 1, int(0.975 * rounds))])
