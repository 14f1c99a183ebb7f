"""Exact intervals and comparisons of rates, against standard tables and scipy.

scipy is imported where it is needed: it takes a second, and each process of a run reads this file.
"""

import pytest

from calmo_pagerduty.statistics.estimators import wilson_interval
from calmo_pagerduty.statistics.poisson_rates import garwood_interval, rate_increase_p_value


def test_six_events_have_the_interval_of_the_standard_table() -> None:
    assert garwood_interval(6) == pytest.approx((2.2019, 13.0595), abs=5e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 17, 250])
def test_the_interval_is_that_of_the_chi_square_distribution(count: int) -> None:
    from scipy.stats import chi2

    low = 0.0 if count == 0 else chi2.ppf(0.025, 2 * count) / 2
    assert garwood_interval(count) == pytest.approx((low, chi2.ppf(0.975, 2 * count + 2) / 2), rel=1e-9)


def test_twelve_after_six_is_no_proof_of_a_doubled_rate() -> None:
    assert rate_increase_p_value(6, 12, 1, 1) == pytest.approx(0.1189, abs=5e-5)


@pytest.mark.parametrize(
    ("before", "after", "left", "right"), [(3, 9, 2.0, 1.0), (40, 71, 30, 45), (0, 5, 1, 9)]
)
def test_the_comparison_is_the_binomial_test_of_the_total(
    before: int, after: int, left: float, right: float
) -> None:
    from scipy.stats import binomtest

    expected = binomtest(after, before + after, right / (left + right), "greater").pvalue
    assert rate_increase_p_value(before, after, left, right) == pytest.approx(expected, rel=1e-9)


def test_without_events_or_exposure_there_is_no_p_value() -> None:
    assert rate_increase_p_value(0, 0, 1, 1) is None
    assert rate_increase_p_value(3, 4, 0, 1) is None


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    [(7, 10, 0.3968, 0.8922), (25, 40, 0.4703, 0.7578), (0, 10, 0.0, 0.2775)],
)
def test_wilson_gives_the_published_intervals(successes: int, of: int, low: float, high: float) -> None:
    assert wilson_interval(successes, of) == pytest.approx((low, high), abs=5e-5)
