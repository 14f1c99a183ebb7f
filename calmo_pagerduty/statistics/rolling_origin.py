"""Forecasts of counts, judged by what they would have said before: rolling origin. Pure.

A series has a season of so many counts (seven days, fourteen half-days). The forecast is the recent level,
by exponential weights, times a profile of the season that is shrunk towards "no season". It is compared
with two simple ones: what came one season ago (seasonal naive), and the mean of all that came before. Who
can't beat the mean has nothing to tell but the rate; on pure noise nobody can.

Source: R. J. Hyndman, G. Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed.), 5.10; loss of
quantiles: R. Koenker, G. Bassett (1978); F. X. Diebold, R. S. Mariano (1995) with the correction of
D. Harvey, S. Leybourne, P. Newbold (1997); calibration of counts: C. Czado, T. Gneiting, L. Held,
"Predictive model assessment for count data", Biometrics 65 (2009) 1254-1261.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calmo_pagerduty.statistics.counts import CountDistribution

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: The probability that the gate opens although a forecast is no better than the mean of the past.
GATE_LEVEL = 0.05
MIN_BACK_TESTS = 50
#: The central interval that is shown, and where the measured share of hits must lie.
QUANTILES = (0.1, 0.5, 0.9)
COVERAGE = 0.8
MIN_COVERAGE, MAX_COVERAGE = 0.7, 0.9
#: Seasons after which a count weighs half; incidents by which the profile is shrunk; seasons before errors
#: are measured, and before the first forecast.
_HALF_LIFE, _SHRINKAGE, _WARM_UP, _FIRST = 4, 5.0, 4, 8
#: Shares at which the calibration is shown.
CALIBRATION_SHARES = tuple(step / 10 for step in range(11))


@dataclass(frozen=True, slots=True)
class BackTest:
    """What forecasts would have said, and how often they were right.

    `loss` is the mean quantile loss per forecast, beside those of the two simple ones; `p_values` are the
    chances of such an advantage over each if there is none. `coverage` is the share of outcomes in the
    80 % interval, where an outcome on its edge counts in part. `calibration` holds, for each of
    CALIBRATION_SHARES, the share of outcomes that lay below that quantile.
    """

    origins: int
    loss: float
    naive_loss: float
    mean_loss: float
    naive_p_value: float
    mean_p_value: float
    coverage: float
    calibration: tuple[float, ...]
    #: (index of the first count, outcome, low, median, high) of each origin, earliest first.
    forecasts: tuple[tuple[int, int, int, int, int], ...]
    #: What comes next.
    following: CountDistribution

    @property
    def is_open(self) -> bool:
        """Whether the forecast may be shown."""
        return not self.reason

    @property
    def reason(self) -> str:
        """Return why it may not be shown; empty if it may."""
        if self.origins < MIN_BACK_TESTS:
            return f"only {self.origins} back-tests, {MIN_BACK_TESTS} are needed"
        if self.naive_p_value >= GATE_LEVEL:
            return "it doesn't beat what came one season before"
        if self.mean_p_value >= GATE_LEVEL:
            return "it doesn't beat the mean of the past"
        if not MIN_COVERAGE <= self.coverage <= MAX_COVERAGE:
            return f"its 80 % interval held {self.coverage:.0%} of the outcomes"
        return ""


def back_test(counts: Sequence[int], season: int, horizon: int = 1) -> BackTest | None:
    """Return how forecasts of the next `horizon` counts together would have done, and the next one.

    None if the series has no event, or is shorter than nine seasons.
    """
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    number, first = len(counts), _FIRST * season
    if number < first + season or not any(counts):
        return None
    series = np.array(counts, dtype=float)
    totals = np.convolve(series, np.ones(horizon), "valid")
    ours, means = _means(series, season, horizon)
    warm = _WARM_UP * season
    spread = _dispersions(totals, ours, warm, horizon)
    mean_spread = _dispersions(totals, means, warm, horizon)
    judged = np.arange(first, number - horizon + 1)
    outcomes = totals[judged]
    quantiles, below, upto = _predict(ours[judged], spread[judged], outcomes)
    loss = _loss(quantiles, outcomes)
    mean_loss = _loss(_predict(means[judged], mean_spread[judged], outcomes)[0], outcomes)
    naive_loss = _loss(_naive(totals, season, first, horizon), outcomes)
    pit = np.array([_below_share(below, upto, share).mean() for share in CALIBRATION_SHARES])
    low, high = (float(_below_share(below, upto, share).mean()) for share in (QUANTILES[0], QUANTILES[2]))
    shown = np.column_stack([judged, outcomes, quantiles]).astype(int).tolist()
    return BackTest(
        origins=len(judged),
        loss=float(loss.mean()),
        naive_loss=float(naive_loss.mean()),
        mean_loss=float(mean_loss.mean()),
        naive_p_value=_advantage(naive_loss - loss, horizon),
        mean_p_value=_advantage(mean_loss - loss, horizon),
        coverage=high - low,
        calibration=tuple(float(share) for share in pit),
        forecasts=tuple(tuple(row) for row in shown),
        following=CountDistribution(float(ours[number]), float(spread[number])),
    )


def _means(series: "Floats", season: int, horizon: int) -> "tuple[Floats, Floats]":
    """Return our expected total of the `horizon` counts from each index on, and the mean of the past's."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    number = len(series)
    decay = 0.5 ** (1 / (_HALF_LIFE * season))
    sums, visits = [0.0] * season, [0] * season
    weighted = weights = total = 0.0
    ours, means = np.zeros(number + 1), np.zeros(number + 1)
    for index in range(number + 1):
        if index:
            mean = total / index
            level = weighted / weights
            factors = 0.0
            for ahead in range(horizon):
                place = (index + ahead) % season
                factors += (sums[place] + _SHRINKAGE) / (visits[place] * mean + _SHRINKAGE)
            ours[index], means[index] = level * factors, mean * horizon
        if index < number:
            value = float(series[index])
            weighted, weights, total = weighted * decay + value, weights * decay + 1, total + value
            sums[index % season] += value
            visits[index % season] += 1
    floor = 1e-6
    return np.maximum(ours, floor), np.maximum(means, floor)


def _dispersions(totals: "Floats", means: "Floats", warm: int, horizon: int) -> "Floats":
    """Return at each index the variance / mean of the errors of forecasts whose outcome was known by then."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    errors = np.zeros(len(means))
    known = np.arange(warm, len(totals))
    errors[known] = (totals[known] - means[known]) ** 2 / np.maximum(means[known], 0.05)
    sums, spread = np.cumsum(errors), np.ones(len(means))
    for index in range(warm + horizon, len(means)):
        spread[index] = max(1.0, sums[index - horizon] / (index - horizon - warm + 1))
    return spread


def _predict(means: "Floats", spread: "Floats", outcomes: "Floats") -> "tuple[Floats, Floats, Floats]":
    """Return the quantiles of each forecast, and P(less than the outcome), P(at most the outcome)."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)
    from scipy.special import betainc, gammaincc  # noqa: PLC0415 (seconds that a command starts without)

    top = int(max(outcomes.max(), (means + 8 * np.sqrt(means * spread)).max())) + 8
    counts = np.arange(top + 1)[None, :]
    mean, ratio = means[:, None], spread[:, None]
    poisson = gammaincc(counts + 1, mean)
    size = mean / np.maximum(ratio - 1, 1e-9)
    sums = np.where(ratio > 1 + 1e-6, betainc(size, counts + 1, 1 / ratio), poisson)
    quantiles = np.column_stack([(sums < share).sum(axis=1) for share in QUANTILES]).astype(float)
    rows, at = np.arange(len(means)), outcomes.astype(int)
    below = np.where(at > 0, sums[rows, np.maximum(at - 1, 0)], 0.0)
    return quantiles, below, sums[rows, at]


def _naive(totals: "Floats", season: int, first: int, horizon: int) -> "Floats":
    """Return the quantiles of "as one season ago", with the errors that this made before."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    changes: list[float] = []
    rows = []
    for index in range(season, len(totals)):
        known = index - horizon
        if known >= season:
            insort(changes, float(totals[known] - totals[known - season]))
        if index >= first:
            last = float(totals[index - season])
            ranks = [
                min(len(changes) - 1, max(0, math.ceil(share * len(changes)) - 1)) for share in QUANTILES
            ]
            rows.append([max(0.0, last + changes[rank]) for rank in ranks])
    return np.array(rows)


def _loss(quantiles: "Floats", outcomes: "Floats") -> "Floats":
    """Return the quantile loss of each forecast, the mean over QUANTILES."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    errors = outcomes[:, None] - quantiles
    shares = np.array(QUANTILES)[None, :]
    loss: Floats = np.maximum(shares * errors, (shares - 1) * errors).mean(axis=1)
    return loss


def _below_share(below: "Floats", upto: "Floats", share: float) -> "Floats":
    """Return which part of each outcome lies below a quantile: counts are lumps, so it may be a fraction."""
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)

    part: Floats = np.clip((share - below) / np.maximum(upto - below, 1e-12), 0.0, 1.0)
    return part


def _advantage(differences: "Floats", horizon: int) -> float:
    """Return the one-sided p-value of "the other loses more": Diebold and Mariano's test.

    Overlapping forecasts are correlated; the variance counts that up to twice the horizon, and a week.
    """
    import numpy as np  # noqa: PLC0415 (a tenth of a second that a command starts without)
    from scipy.special import stdtr  # noqa: PLC0415 (seconds that a command starts without)

    number, lags = len(differences), max(7, 2 * horizon)
    centred = differences - differences.mean()
    variance = float(np.dot(centred, centred)) / number
    for lag in range(1, min(lags, number - 1) + 1):
        weight = 1 - lag / (lags + 1)
        variance += 2 * weight * float(np.dot(centred[lag:], centred[:-lag])) / number
    if number < 3 or variance <= 0:
        return 1.0
    correction = math.sqrt(max(0.0, (number + 1 - 2 * horizon + horizon * (horizon - 1) / number) / number))
    score = correction * float(differences.mean()) / math.sqrt(variance / number)
    return float(stdtr(number - 1, -score))
