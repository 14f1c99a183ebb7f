"""Growth with the date of a limit, and forecasts that are shown only if they are better than simple ones."""

import numpy as np
import pytest

from calmo_pagerduty.statistics.back_testing import back_test
from calmo_pagerduty.statistics.log_linear import crossing, fit_growth
from calmo_pagerduty.statistics.rolling_origin import (
    MAX_COVERAGE,
    MIN_BACK_TESTS,
    MIN_COVERAGE,
    BackTest,
)

DAYS = 364


def _noise(seed: int) -> list[list[int]]:
    """A quiet service, a busy one, and one with bursts: their rates never change."""
    random = np.random.default_rng(seed)
    series = [random.poisson(0.3, DAYS), random.poisson(4, DAYS), random.negative_binomial(0.6, 0.25, DAYS)]
    return [[int(count) for count in counts] for counts in series]


def _opened(seeds: range) -> list[bool]:
    judged = [
        back_test(counts, 7, horizon) for seed in seeds for counts in _noise(seed) for horizon in (1, 7)
    ]
    return [test is not None and test.is_open for test in judged]


def test_the_gate_stays_shut_on_pure_noise() -> None:
    assert np.mean(_opened(range(4))) <= 0.05


@pytest.mark.torture
def test_the_gate_opens_on_pure_noise_no_more_often_than_stated() -> None:
    assert np.mean(_opened(range(200))) <= 0.05


def _weekly(seed: int) -> BackTest:
    random = np.random.default_rng(seed)
    rates = np.tile([6, 6, 6, 6, 6, 0.8, 0.8], DAYS // 7)
    test = back_test([int(count) for count in random.poisson(rates)], 7)
    assert test is not None
    return test


def test_a_week_that_repeats_is_forecast_with_an_interval_that_holds_what_it_says() -> None:
    test = _weekly(1)
    assert test.is_open, test.reason
    assert test.origins >= MIN_BACK_TESTS
    assert test.loss < test.mean_loss
    assert test.loss < test.naive_loss
    assert MIN_COVERAGE <= test.coverage <= MAX_COVERAGE
    # The year ends with a Sunday, so a Monday follows.
    assert test.following.mean == pytest.approx(6, rel=0.25)
    assert test.calibration[0] == 0
    assert test.calibration[-1] == 1
    assert list(test.calibration) == sorted(test.calibration)


def test_forecasts_know_nothing_of_what_came_after_them() -> None:
    random = np.random.default_rng(2)
    counts = [int(count) for count in random.poisson(3, DAYS)]
    whole, cut = back_test(counts, 7), back_test(counts[:-30], 7)
    assert whole is not None
    assert cut is not None
    assert whole.forecasts[: cut.origins] == cut.forecasts
    assert back_test(counts, 7) == whole


def test_a_short_or_empty_series_has_no_forecast() -> None:
    assert back_test([1] * 62, 7) is None
    assert back_test([0] * DAYS, 7) is None


def test_growth_finds_the_planted_factor_and_the_week_in_which_a_limit_is_reached() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        counts = [int(n) for n in random.poisson([4 * 1.03**week for week in range(52)])]
        growth = fit_growth(counts)
        assert growth is not None
        found = crossing(growth, 51, 28.0, 104)
        # 4 · 1.03^x = 28 at x = 65.8: in the 15th week after the last one.
        hits += found is not None and found.earliest <= 15 and (found.latest is None or found.latest >= 15)
    assert hits >= 54


def test_a_constant_rate_reaches_no_limit_and_few_events_fit_nothing() -> None:
    growth = fit_growth([5, 4, 5, 6, 5, 5, 4, 6, 5, 5])
    assert growth is not None
    assert growth.factor(4)[1].low < 1 < growth.factor(4)[1].high
    assert crossing(growth, 9, 28.0, 104) is None
    assert fit_growth([0, 0, 1, 0, 0]) is None
