"""Tests of trends in one point process, against published numbers and against chance."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats

from calmo_pagerduty.statistics.estimators import benjamini_hochberg_adjusted
from calmo_pagerduty.statistics.point_processes import (
    TrendTest,
    laplace_test,
    military_handbook_test,
    permuted_trend,
    power_law,
)

#: Source: the documentation of the package `reliability`, ROCOF: times between failures.
GAPS = (
    *(104, 131, 1597, 59, 4, 503, 157, 6, 118, 173, 114, 62, 101, 216, 106),
    *(140, 1, 102, 3, 393, 96, 232, 89, 61, 37, 293, 7, 165, 87, 99),
)
TIMES = [float(time) for time in np.cumsum(GAPS)]


def test_laplace_s_test_gives_the_published_score_of_failures_that_come_more_often() -> None:
    test = laplace_test(TIMES)
    assert test is not None
    assert (round(test.statistic, 3), round(test.p_value, 3), test.direction, test.events) == (
        2.409,
        0.016,
        1,
        29,
    )


def test_the_military_handbook_s_test_agrees_on_58_degrees_of_freedom() -> None:
    test = military_handbook_test(TIMES)
    assert test is not None
    assert round(test.statistic, 2) == 37.78
    assert test.p_value == pytest.approx(2 * 0.018, abs=0.001)
    assert test.direction == 1


def test_the_power_law_of_the_same_failures_grows_with_the_published_shape_and_scale() -> None:
    law = power_law(TIMES)
    assert law is not None
    assert round(law.shape, 3) == 1.588
    assert law.scale == pytest.approx(3.703e-5, rel=1e-3)
    assert law.interval.low == pytest.approx(stats.chi2.ppf(0.025, 58) / 60 * law.shape)
    assert 1 < law.interval.low < law.shape < law.interval.high


def test_time_reversed_turns_the_direction_and_time_rescaled_changes_nothing() -> None:
    until = TIMES[-1] + 50
    forward = laplace_test(TIMES, until)
    backward = laplace_test([until - time for time in TIMES], until)
    scaled = laplace_test([time * 86_400 for time in TIMES], until * 86_400)
    assert forward is not None
    assert backward is not None
    assert scaled is not None
    assert backward.statistic == pytest.approx(-forward.statistic)
    assert scaled.statistic == pytest.approx(forward.statistic)


@pytest.mark.parametrize("test", [laplace_test, military_handbook_test])
def test_a_constant_rate_is_called_a_trend_no_more_often_than_the_level_says(
    test: Callable[[Sequence[float], float | None], TrendTest | None],
) -> None:
    random = np.random.default_rng(7)
    found = [test(list(random.uniform(0, 365, random.poisson(40))), 365.0) for _ in range(1500)]
    assert 0.03 < np.mean([item is not None and item.p_value < 0.05 for item in found]) < 0.07


def test_bursts_deceive_laplace_s_test_but_not_the_test_by_shuffled_weeks() -> None:
    random = np.random.default_rng(11)
    laplace, shuffled = [], []
    for _ in range(400):
        starts = random.uniform(0, 52, random.poisson(20))
        times = [float(start) for start in starts for _ in range(random.geometric(0.2))]
        first, second = (
            laplace_test(times, 52.0),
            permuted_trend([int(n) for n in np.histogram(times, 52, (0, 52))[0]]),
        )
        laplace.append(first is not None and first.p_value < 0.05)
        shuffled.append(second is not None and second.p_value < 0.05)
    assert np.mean(laplace) > 0.3
    assert np.mean(shuffled) < 0.08


def test_the_test_by_shuffled_counts_agrees_with_shuffling_them() -> None:
    counts = [1, 0, 2, 1, 3, 0, 2, 4, 3, 5]
    test = permuted_trend(counts)
    drawn = stats.permutation_test(
        (counts,),
        lambda x: np.corrcoef(np.arange(10), x)[0, 1],
        permutation_type="pairings",
        n_resamples=4000,
        rng=1,
    )
    assert test is not None
    assert test.p_value == pytest.approx(drawn.pvalue, abs=0.01)
    assert permuted_trend([2] * 12) is None
    assert permuted_trend([1, 2, 3]) is None


def test_adjusted_p_values_are_scipy_s() -> None:
    p_values = [0.001, 0.2, 0.04, 0.04, 0.9, 0.0005]
    assert benjamini_hochberg_adjusted(p_values) == pytest.approx(stats.false_discovery_control(p_values))
