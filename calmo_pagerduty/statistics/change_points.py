"""When did a rate change? Binary segmentation of counts by Poisson's likelihood. Pure.

Each split is judged by the same likelihood ratio on the counts in random order. So it holds for counts that
are more uneven than Poisson's; the probability of any false split in a series without a change is at most
`level`, because segmentation goes on only after a split that was significant at it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.statistics.resampling import random_numbers

#: The least counts on each side of a split.
_MIN_SIDE = 4
_SHUFFLES = 199
_SEED = 20_260_105


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The mean changes before the count of this index. `ratio` is the log likelihood ratio, doubled."""

    index: int
    before: float
    after: float
    ratio: float
    p_value: float


def best_split(counts: Sequence[int], min_side: int = _MIN_SIDE) -> tuple[int, float] | None:
    """Return where two means fit best (the index of the first count after it), and 2 ln of the ratio.

    Source: D. V. Hinkley (1970); for Poisson counts 2 Σ n̄ ln(mean of side / mean of all).
    """
    total, number = sum(counts), len(counts)
    if total == 0 or number < 2 * min_side:
        return None
    seen, best = sum(counts[: min_side - 1]), (0, -1.0)
    for index in range(min_side, number - min_side + 1):
        seen += counts[index - 1]
        ratio = 2 * (_gain(seen, index, total / number) + _gain(total - seen, number - index, total / number))
        if ratio > best[1] + 1e-12:
            best = (index, ratio)
    return best


def change_points(counts: Sequence[int], level: float = 0.01, most: int = 5) -> tuple[ChangePoint, ...]:
    """Return the changes of the mean, in order of time. `level` is the probability of a false one.

    Source: A. J. Scott, M. Knott (1974), binary segmentation; M. Dwass (1957), tests by random permutations.
    """
    found: list[ChangePoint] = []
    pending = [(0, len(counts))]
    while pending and len(found) < most:
        start, end = pending.pop(0)
        split = _significant_split(counts[start:end], level)
        if split is None:
            continue
        index, ratio, p_value = split
        left, right = counts[start : start + index], counts[start + index : end]
        found.append(
            ChangePoint(start + index, sum(left) / len(left), sum(right) / len(right), ratio, p_value)
        )
        pending += [(start, start + index), (start + index, end)]
    return tuple(sorted(found, key=lambda point: point.index))


def _significant_split(counts: Sequence[int], level: float) -> tuple[int, float, float] | None:
    split = best_split(counts)
    if split is None or split[1] <= 0:
        return None
    numbers, as_large, shuffled = random_numbers(_SEED), 0, list(counts)
    # More shuffles can't make it significant once so many were as large.
    allowed = math.ceil(level * (_SHUFFLES + 1)) - 1
    for _ in range(_SHUFFLES):
        for index in range(len(shuffled) - 1, 0, -1):
            other = next(numbers) % (index + 1)
            shuffled[index], shuffled[other] = shuffled[other], shuffled[index]
        drawn = best_split(shuffled)
        as_large += drawn is not None and drawn[1] >= split[1] - 1e-9
        if as_large > allowed:
            return None
    return (*split, (1 + as_large) / (1 + _SHUFFLES))


def _gain(events: int, length: int, mean: float) -> float:
    return events * math.log(events / length / mean) if events else 0.0
