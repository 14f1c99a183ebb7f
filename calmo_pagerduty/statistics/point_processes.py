"""Do events come more often than they did? Tests of a trend in the times of one point process. Pure.

Both tests have a homogeneous Poisson process as their null hypothesis: say nothing of them before
`luck.poisson_dispersion` has let the counts pass as Poisson's, and use `permuted_trend` where it hasn't.
Times are measured from the beginning of the observation, in any unit. If the observation ends with an event
(`until` is None) that event carries no information about the trend: this is "failure truncation".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.statistics.estimators import Interval


@dataclass(frozen=True, slots=True)
class TrendTest:
    """A two-sided test. `statistic` is named by the function; a positive `direction` means more and more.

    `events` is how many event times the test rests on.
    """

    statistic: float
    p_value: float
    direction: int
    events: int


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The expected number of events until t is scale · t^shape. A shape above 1 means more and more.

    `interval` is the shape's 95 % interval.
    """

    shape: float
    scale: float
    interval: Interval
    events: int


def laplace_test(times: Sequence[float], until: float | None = None) -> TrendTest | None:
    """Return Laplace's U: standard normal without a trend. None if fewer than two events can tell.

    It has the most power against a rate that grows by the same factor in each unit of time (Cox-Lewis).
    Source: D. R. Cox, P. A. W. Lewis, "The Statistical Analysis of Series of Events" (1966), 3.3.
    """
    inner, end = _inside(times, until)
    if len(inner) < 2 or end <= 0:
        return None
    score = (math.fsum(inner) / len(inner) - end / 2) / (end / math.sqrt(12 * len(inner)))
    return TrendTest(score, normal_two_sided(score), _sign(score), len(inner))


def military_handbook_test(times: Sequence[float], until: float | None = None) -> TrendTest | None:
    """Return 2 Σ ln(end/tᵢ): χ² with 2n degrees of freedom without a trend; small if events come more often.

    It has the most power against a power law.
    Source: MIL-HDBK-189 (1981), appendix C; H. E. Ascher, H. Feingold, "Repairable Systems Reliability".
    """
    from scipy.special import gammainc, gammaincc  # noqa: PLC0415 (seconds that a command starts without)

    inner, end = _inside(times, until)
    if len(inner) < 2 or end <= 0:
        return None
    statistic = 2 * _log_sum(inner, end)
    lower, upper = float(gammainc(len(inner), statistic / 2)), float(gammaincc(len(inner), statistic / 2))
    return TrendTest(statistic, min(1.0, 2 * min(lower, upper)), 1 if lower < upper else -1, len(inner))


def power_law(times: Sequence[float], until: float | None = None) -> PowerLaw | None:
    """Return the maximum-likelihood power law (Crow-AMSAA). None if fewer than two events can tell.

    Source: L. H. Crow, "Reliability analysis for complex, repairable systems", AMSAA (1975); the interval is
    that of 2 n shape / estimate, which is χ² with 2n (failure truncation: 2(n - 1)) degrees of freedom.
    """
    from scipy.special import gammaincinv  # noqa: PLC0415 (seconds that a command starts without)

    inner, end = _inside(times, until)
    if len(inner) < 2 or end <= 0:
        return None
    events = len(times) if until is None else len(inner)
    logs = _log_sum(inner, end)
    if logs <= 0:
        return None
    shape = events / logs
    low, high = (float(gammaincinv(len(inner), tail)) / events * shape for tail in (0.025, 0.975))
    # The logarithm, because end^shape may be larger than a double.
    return PowerLaw(shape, math.exp(math.log(events) - shape * math.log(end)), Interval(low, high), events)


def permuted_trend(counts: Sequence[int]) -> TrendTest | None:
    """Return Pitman's test of counts in equal times: their correlation with time, were they shuffled.

    It asks of the counts only that any order is as likely as another, so it holds for bursts and
    overdispersion within one count. `statistic` is t with n - 2 degrees of freedom; the shuffles' first four
    moments are nearly its. None for fewer than eight counts, or if all are the same.
    Source: E. J. G. Pitman, "Significance tests which may be applied to samples from any populations II",
    JRSS Suppl. 4 (1937) 225-232.
    """
    from scipy.special import stdtr  # noqa: PLC0415 (seconds that a command starts without)

    number = len(counts)
    if number < 8 or len(set(counts)) < 2:
        return None
    mean, middle = sum(counts) / number, (number - 1) / 2
    squares = math.fsum((count - mean) ** 2 for count in counts)
    times = number * (number * number - 1) / 12
    product = math.fsum((index - middle) * (count - mean) for index, count in enumerate(counts))
    correlation = max(-1.0, min(1.0, product / math.sqrt(squares * times)))
    rest = 1 - correlation * correlation
    statistic = (
        math.copysign(math.inf, correlation) if rest <= 0 else correlation * math.sqrt((number - 2) / rest)
    )
    p_value = 2 * float(stdtr(number - 2, -abs(statistic)))
    return TrendTest(statistic, min(1.0, p_value), _sign(statistic), sum(counts))


def normal_two_sided(score: float) -> float:
    """Return P(|Z| ≥ |score|) of a standard normal Z."""
    return math.erfc(abs(score) / math.sqrt(2))


def _inside(times: Sequence[float], until: float | None) -> tuple[list[float], float]:
    """Return the times that carry information, and the end of the observation. A time of 0 carries none."""
    ordered = sorted(time for time in times if time > 0 and (until is None or time < until))
    if until is not None:
        return ordered, until
    return (ordered[:-1], ordered[-1]) if ordered else ([], 0.0)


def _log_sum(inner: Sequence[float], end: float) -> float:
    return math.fsum(math.log(end / time) for time in inner)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
