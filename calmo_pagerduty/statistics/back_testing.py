"""Forecasts of counts, and what they would have said before: `rolling_origin` says how they are judged. Pure.

It stands alone because numpy and scipy take seconds to import, which a command starts without: import it
where it is called.
"""

import math
from bisect import insort
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, gammaincc, stdtr

from calmo_pagerduty.statistics.counts import CountDistribution
from calmo_pagerduty.statistics.rolling_origin import CALIBRATION_SHARES, QUANTILES, BackTest

Floats = npt.NDArray[np.float64]

#: Seasons after which a count weighs half; incidents by which the profile is shrunk; seasons before errors
#: are measured, and before the first forecast.
_HALF_LIFE, _SHRINKAGE, _WARM_UP, _FIRST = 4, 5.0, 4, 8


def back_test(counts: Sequence[int], season: int, horizon: int = 1) -> BackTest | None:
    """Return how forecasts of the next `horizon` counts together would have done, and the next one.

    None if the series has no event, or is shorter than nine seasons.
    """
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


def _means(series: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """Return our expected total of the `horizon` counts from each index on, and the mean of the past's."""
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


def _dispersions(totals: Floats, means: Floats, warm: int, horizon: int) -> Floats:
    """Return at each index the variance / mean of the errors of forecasts whose outcome was known by then."""
    errors = np.zeros(len(means))
    known = np.arange(warm, len(totals))
    errors[known] = (totals[known] - means[known]) ** 2 / np.maximum(means[known], 0.05)
    sums, spread = np.cumsum(errors), np.ones(len(means))
    for index in range(warm + horizon, len(means)):
        spread[index] = max(1.0, sums[index - horizon] / (index - horizon - warm + 1))
    return spread


def _predict(means: Floats, spread: Floats, outcomes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the quantiles of each forecast, and P(less than the outcome), P(at most the outcome)."""
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


def _naive(totals: Floats, season: int, first: int, horizon: int) -> Floats:
    """Return the quantiles of "as one season ago", with the errors that this made before."""
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


def _loss(quantiles: Floats, outcomes: Floats) -> Floats:
    """Return the quantile loss of each forecast, the mean over QUANTILES."""
    errors = outcomes[:, None] - quantiles
    shares = np.array(QUANTILES)[None, :]
    loss: Floats = np.maximum(shares * errors, (shares - 1) * errors).mean(axis=1)
    return loss


def _below_share(below: Floats, upto: Floats, share: float) -> Floats:
    """Return which part of each outcome lies below a quantile: counts are lumps, so it may be a fraction."""
    part: Floats = np.clip((share - below) / np.maximum(upto - below, 1e-12), 0.0, 1.0)
    return part


def _advantage(differences: Floats, horizon: int) -> float:
    """Return the one-sided p-value of "the other loses more": Diebold and Mariano's test.

    Overlapping forecasts are correlated; the variance counts that up to twice the horizon, and a week.
    """
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
