"""Counts: dispersion before any word of Poisson, distributions, Erlang's formulas, CUSUM, change points."""

import numpy as np
import pytest
from scipy import stats

from calmo_pagerduty.statistics.change_points import best_split, change_points
from calmo_pagerduty.statistics.counts import CountDistribution, dispersion_of, mean_interval
from calmo_pagerduty.statistics.cusum import average_run_length, design_cusum, next_value, reference_value
from calmo_pagerduty.statistics.queueing import erlang_b, erlang_c, responders_needed

#: Deaths by horse kicks in ten corps of the Prussian army over twenty years (Bortkiewicz, 1898).
HORSE_KICKS = [0] * 109 + [1] * 65 + [2] * 22 + [3] * 3 + [4]
#: Coal-mining disasters in Great Britain per year, 1851 to 1962 (Jarrett, 1979).
DISASTERS = [
    *(
        4,
        5,
        4,
        1,
        0,
        4,
        3,
        4,
        0,
        6,
        3,
        3,
        4,
        0,
        2,
        6,
        3,
        3,
        5,
        4,
        5,
        3,
        1,
        4,
        4,
        1,
        5,
        5,
        3,
        4,
        2,
        5,
        2,
        2,
        3,
        4,
        2,
    ),
    *(
        1,
        3,
        2,
        2,
        1,
        1,
        1,
        1,
        3,
        0,
        0,
        1,
        0,
        1,
        1,
        0,
        0,
        3,
        1,
        0,
        3,
        2,
        2,
        0,
        1,
        1,
        1,
        0,
        1,
        0,
        1,
        0,
        0,
        0,
        2,
        1,
        0,
    ),
    *(
        0,
        0,
        1,
        1,
        0,
        2,
        3,
        3,
        1,
        1,
        2,
        1,
        1,
        1,
        1,
        2,
        4,
        2,
        0,
        0,
        0,
        1,
        4,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        1,
        0,
        1,
    ),
]


def test_horse_kicks_pass_as_poisson_s_and_bursts_do_not() -> None:
    kicks = dispersion_of(HORSE_KICKS)
    assert kicks is not None
    assert (round(kicks.statistic, 2), round(kicks.p_value, 3), kicks.is_poisson, kicks.ratio) == (
        199.31,
        0.480,
        True,
        1,
    )
    bursts = dispersion_of([0, 0, 0, 9, 0, 0, 0, 0, 8, 0, 0, 0])
    assert bursts is not None
    assert not bursts.is_poisson
    assert bursts.ratio > 5
    assert dispersion_of([0, 0, 0]) is None


@pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 1.0), (7.5, 1.0), (2.5, 3.0), (40.0, 1.7)])
def test_distributions_and_their_quantiles_are_scipy_s(mean: float, dispersion: float) -> None:
    ours = CountDistribution(mean, dispersion)
    theirs = stats.poisson(mean) if dispersion == 1 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    assert [ours.cdf(n) for n in range(12)] == pytest.approx([theirs.cdf(n) for n in range(12)])
    assert [ours.quantile(q) for q in (0.1, 0.5, 0.9)] == [theirs.ppf(q) for q in (0.1, 0.5, 0.9)]


def test_an_interval_is_garwood_s_for_poisson_counts_and_wider_for_bursts() -> None:
    poisson, bursts = mean_interval(6, 1.0), mean_interval(6, 3.0)
    assert (round(poisson.low, 4), round(poisson.high, 4)) == (2.2019, 13.0595)
    assert bursts.low < poisson.low
    assert bursts.high > poisson.high
    assert mean_interval(0, 3.0).low == 0


def test_erlang_s_formulas_give_their_published_values() -> None:
    assert round(erlang_b(10, 15), 4) == 0.0365
    assert (round(erlang_c(8, 10), 4), round(erlang_c(2, 3), 4)) == (0.4092, 0.4444)
    assert erlang_c(3, 3) == 1
    assert responders_needed(2, 0.45) == 3


def test_the_run_lengths_of_a_cusum_are_those_of_its_chain_and_of_simulated_counts() -> None:
    assert reference_value(1, 2) == pytest.approx(1.4427, abs=1e-4)
    # One to two a day, h = 6: a false alarm about every 500 days, a true one after about 11.
    false_alarms, detections = average_run_length(1.0, 1.4, 6.0), average_run_length(2.0, 1.4, 6.0)
    assert 300 < false_alarms < 600
    assert 9 < detections < 13
    random, lengths = np.random.default_rng(3), []
    for _ in range(2000):
        value, length = 0.0, 0
        while value < 6.0:
            value, length = next_value(value, int(random.poisson(2.0)), 1.4), length + 1
        lengths.append(length)
    assert np.mean(lengths) == pytest.approx(detections, rel=0.06)


@pytest.mark.parametrize("base", [0.02, 0.3, 1.0, 6.0])
def test_a_designed_cusum_keeps_its_promise_and_reacts_sooner_to_a_doubled_rate(base: float) -> None:
    design = design_cusum(base, 2 * base, 365.0)
    assert design.false_alarm_every >= 365
    assert design.detects_after < design.false_alarm_every / 2
    assert design.k > base
    with pytest.raises(ValueError, match="larger"):
        design_cusum(base, base, 365.0)


def test_disasters_in_coal_mines_became_rarer_after_1891() -> None:
    split = best_split(DISASTERS)
    assert len(DISASTERS) == 112
    assert split is not None
    assert (1851 + split[0] - 1, round(split[1], 1)) == (1891, 70.0)
    first = change_points(DISASTERS)
    assert 1851 + first[0].index - 1 == 1891
    assert round(first[0].before, 1) == 3.1


def test_bursts_without_a_change_are_split_no_more_often_than_the_level_says() -> None:
    random = np.random.default_rng(5)
    series = [[int(n) for n in random.negative_binomial(0.5, 0.15, 52)] for _ in range(300)]
    assert np.mean([bool(change_points(counts, level=0.05)) for counts in series]) < 0.08
