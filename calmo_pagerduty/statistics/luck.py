"""What chance alone makes of pages: how unevenly they fall although everybody's share is fair.

Whoever is on call for a share of the time gets a page with that probability. So counts are multinomial, and
spread widely while they are small: six equal people with 30 pages have a Gini coefficient of 0.21 on average.
Pages that come together fall on the same person. They are drawn together here, as a burst of a size.

NumPy is imported where it is used: its import takes a quarter of a second.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Draws of the simulation. The standard error of a p-value of .05 is .0015.
DRAWS = 20_000
#: With so many draws it ends if the p-value is clearly large: most groups are plain luck.
FIRST_DRAWS = 1_000
_CLEARLY_LARGE = 0.1
_SEED = 20_260_105
#: Percentiles of the band.
_BAND = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class LuckBand:
    """The counts between which a person's count lies with 95 % probability if only chance decides."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LuckTest:
    """How likely chance alone makes counts at least as uneven. `bands` stand in the order of the counts.

    `p_value` is of the whole group, `p_values` of each person's count (or a higher one) alone.
    """

    p_value: float
    p_values: tuple[float, ...]
    bands: tuple[LuckBand, ...]
    draws: int


def judge_luck(
    shares: Sequence[float], bursts: Sequence[Sequence[int]], draws: int = DRAWS
) -> LuckTest | None:
    """Compare counts with what chance makes of the same bursts.

    `shares` are proportional to the time on call, by person; `bursts` are the sizes of each person's bursts.
    A person without share who has a burst can't be explained by chance: the p-value is the smallest.
    None if there is nobody with a share, or no burst.
    Statistic: the Gini coefficient of counts per share, weighted by the shares, Σᵢⱼ |xᵢpⱼ - xⱼpᵢ| / 2N.
    With equal shares it is the usual one; with bursts of size 1 the counts are multinomial.
    The p-value of a simulation is (1 + draws at least as extreme) / (1 + draws): it is never 0.
    Source: A. C. A. Hope, "A simplified Monte Carlo significance test procedure", JRSS B 30 (1968) 582-598.
    """
    first = _judge(shares, bursts, min(draws, FIRST_DRAWS))
    if first is None or first.p_value > _CLEARLY_LARGE or draws <= FIRST_DRAWS:
        return first
    return _judge(shares, bursts, draws)


def _judge(shares: Sequence[float], bursts: Sequence[Sequence[int]], draws: int) -> LuckTest | None:
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    total_share, sizes = math.fsum(shares), Counter(size for person in bursts for size in person)
    if total_share <= 0 or not sizes:
        return None
    probabilities = np.array(shares, dtype=float) / total_share
    counts = np.array([sum(person) for person in bursts], dtype=float)
    drawn = _draw(probabilities, sizes, draws)
    expected = probabilities * counts.sum()
    statistic = _coefficients(counts[None, :], probabilities)[0]
    extreme = _coefficients(drawn, probabilities) >= statistic - 1e-9
    at_least = (drawn >= counts - 1e-9).sum(axis=0)
    low, high = np.percentile(drawn, _BAND, axis=0, method="inverted_cdf")
    return LuckTest(
        p_value=_p_value(int(extreme.sum()), draws),
        p_values=tuple(_p_value(int(count), draws) for count in at_least),
        bands=tuple(
            LuckBand(float(mean), float(lowest), float(highest))
            for mean, lowest, highest in zip(expected, low, high, strict=True)
        ),
        draws=draws,
    )


def gini_by_chance(people: int, pages: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return mean and 95th percentile of the Gini coefficient of pages that fall by chance on equals."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    probabilities = np.full(people, 1 / people)
    coefficients = _coefficients(_draw(probabilities, Counter({1: pages}), draws), probabilities)
    return float(coefficients.mean()), float(np.percentile(coefficients, 95))


def poisson_dispersion(counts: Sequence[int]) -> tuple[float, float] | None:
    """Return the dispersion D = Σ (x - mean)² / mean and its p-value: are counts more uneven than Poisson's?

    D has a χ² distribution with n - 1 degrees of freedom if all counts are of one Poisson distribution.
    None for fewer than two counts, or if all are 0.
    Source: R. A. Fisher's index of dispersion; scipy: `chi2.sf(D, n - 1)`.
    """
    return pooled_dispersion([counts])


def pooled_dispersion(groups: Sequence[Sequence[int]]) -> tuple[float, float] | None:
    """Return the dispersion within groups, each around its own mean, and its p-value.

    The sum of the groups' dispersions has the sum of their degrees of freedom. None if there are none.
    """
    from scipy.special import gammaincc  # noqa: PLC0415 (a tenth of a second that a command starts without)

    dispersion, freedom = 0.0, 0
    for counts in groups:
        if len(counts) > 1 and any(counts):
            mean = sum(counts) / len(counts)
            dispersion += math.fsum((count - mean) ** 2 for count in counts) / mean
            freedom += len(counts) - 1
    return (dispersion, float(gammaincc(freedom / 2, dispersion / 2))) if freedom else None


def holm_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for their number by Holm's step-down procedure, in the same order.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6 (1979).
    """
    order = sorted(range(len(p_values)), key=lambda index: (p_values[index], index))
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return tuple(adjusted)


def _draw(
    probabilities: "npt.NDArray[np.float64]", sizes: Counter[int], draws: int
) -> "npt.NDArray[np.float64]":
    """Return simulated counts, draws by people: each burst falls on somebody as a whole."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    generator = np.random.default_rng(_SEED)
    drawn = np.zeros((draws, len(probabilities)))
    for size, number in sorted(sizes.items()):
        drawn += size * generator.multinomial(number, probabilities, size=draws)
    return drawn


def _coefficients(
    counts: "npt.NDArray[np.float64]", shares: "npt.NDArray[np.float64]"
) -> "npt.NDArray[np.float64]":
    """Return each row's Gini coefficient: 1 - Σ pᵢ (Lᵢ + Lᵢ₋₁) along its Lorenz curve L.

    It is infinite if somebody has a count who can have none.
    """
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    possible = shares > 0
    rows, weights = counts[:, possible], shares[possible]
    order = np.argsort(rows / weights, axis=1, kind="stable")
    totals = np.maximum(rows.sum(axis=1, keepdims=True), 1)
    lorenz = np.cumsum(np.take_along_axis(rows, order, axis=1), axis=1) / totals
    before = np.concatenate([np.zeros((len(rows), 1)), lorenz[:, :-1]], axis=1)
    coefficients = 1 - (weights[order] * (lorenz + before)).sum(axis=1)
    return np.where(counts[:, ~possible].any(axis=1), np.inf, coefficients)


def _p_value(extreme: int, draws: int) -> float:
    return (1 + extreme) / (1 + draws)
