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

from dataclasses import dataclass

from calmo_pagerduty.statistics.counts import CountDistribution

#: The probability that the gate opens although a forecast is no better than the mean of the past.
GATE_LEVEL = 0.05
MIN_BACK_TESTS = 50
#: The central interval that is shown, and where the measured share of hits must lie.
QUANTILES = (0.1, 0.5, 0.9)
COVERAGE = 0.8
MIN_COVERAGE, MAX_COVERAGE = 0.7, 0.9
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
