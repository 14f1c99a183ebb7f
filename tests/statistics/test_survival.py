"""Survival curves and the tests that compare them, against published figures and by their laws."""

import math

import pytest

from calmo_pagerduty.statistics.survival import (
    Duration,
    SurvivalCurve,
    Weighting,
    compare_survival,
    kaplan_meier,
)
from tests.support.chance import repeatable

#: Weeks of remission of leukaemia patients. Source: E. J. Freireich et al., Blood 21 (1963) 699-716.
MERCAPTOPURINE = (
    *(Duration(time, True) for time in (6, 6, 6, 7, 10, 13, 16, 22, 23)),
    *(Duration(time, False) for time in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)),
)
PLACEBO = tuple(
    Duration(time, True) for time in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
)


def test_the_published_remission_curve_and_its_errors_are_reproduced() -> None:
    curve = kaplan_meier(MERCAPTOPURINE)
    assert [point.time for point in curve.points] == [6, 7, 10, 13, 16, 22, 23]
    assert [round(point.survival, 4) for point in curve.points] == [
        0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482,
    ]  # fmt: skip
    assert [round(point.standard_error, 4) for point in curve.points] == [
        0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346,
    ]  # fmt: skip
    assert (curve.count, curve.events, curve.longest) == (21, 9, 35)


@pytest.mark.parametrize(
    ("weighting", "statistic"),
    [
        (Weighting.LOG_RANK, 16.792941),
        (Weighting.WILCOXON, 13.457852),
        (Weighting.TARONE_WARE, 15.123575),
        (Weighting.PETO, 14.084139),
    ],
)
def test_each_weighted_test_gives_the_published_statistic(weighting: Weighting, statistic: float) -> None:
    compared = compare_survival(MERCAPTOPURINE, PLACEBO, weighting)
    assert compared is not None
    assert compared.statistic == pytest.approx(statistic, abs=1e-6)


def test_the_log_rank_test_gives_the_published_p_value() -> None:
    compared = compare_survival(MERCAPTOPURINE, PLACEBO)
    assert compared is not None
    assert compared.p_value == pytest.approx(4.169e-5, rel=1e-3)


def test_a_comparison_does_not_depend_on_which_sample_comes_first() -> None:
    for weighting in Weighting:
        forward = compare_survival(MERCAPTOPURINE, PLACEBO, weighting)
        backward = compare_survival(PLACEBO, MERCAPTOPURINE, weighting)
        assert forward is not None
        assert backward is not None
        assert forward.statistic == pytest.approx(backward.statistic)


def test_without_an_event_nothing_can_be_compared() -> None:
    assert compare_survival([Duration(5, False)], [Duration(7, False)]) is None
    assert compare_survival([], PLACEBO) is None


def test_the_order_of_the_sample_changes_nothing() -> None:
    shuffled = list(MERCAPTOPURINE)
    repeatable(7).shuffle(shuffled)
    assert kaplan_meier(shuffled) == kaplan_meier(MERCAPTOPURINE)


def test_without_censoring_the_curve_is_the_share_that_is_left() -> None:
    curve = kaplan_meier(PLACEBO)
    for time in (0, 1, 4, 8, 12, 23, 40):
        left = sum(duration.time > time for duration in PLACEBO) / len(PLACEBO)
        assert curve.at(time) == pytest.approx(left)
    mean = sum(min(duration.time, 12) for duration in PLACEBO) / len(PLACEBO)
    assert curve.restricted_mean(12) == pytest.approx(mean)


def test_an_empty_sample_says_nothing_and_does_not_claim_survival() -> None:
    curve = kaplan_meier([])
    assert curve == SurvivalCurve((), 0, 0, 0.0)
    assert not curve.is_known_at(0)
    assert curve.quantile(0.5) is None


def test_the_curve_is_unknown_beyond_the_longest_time_unless_it_reached_zero() -> None:
    assert not kaplan_meier(MERCAPTOPURINE).is_known_at(36)
    assert kaplan_meier(MERCAPTOPURINE).is_known_at(35)
    assert kaplan_meier(PLACEBO).is_known_at(1000)


def test_the_median_is_where_half_have_had_the_event() -> None:
    assert kaplan_meier(PLACEBO).quantile(0.5) == 8
    assert kaplan_meier(MERCAPTOPURINE).quantile(0.5) == 23
    assert kaplan_meier(MERCAPTOPURINE).quantile(0.9) is None


def test_the_interval_holds_the_curve_and_stays_within_zero_and_one() -> None:
    curve = kaplan_meier(MERCAPTOPURINE)
    for point in curve.points:
        interval = curve.interval_at(point.time)
        assert interval is not None
        assert 0 < interval.low < point.survival < interval.high < 1


def test_censoring_recovers_the_truth_where_the_mean_of_the_seen_times_does_not() -> None:
    chance = repeatable(1)
    # Lognormal times with a mean of 10 minutes, watched for 10 minutes.
    sigma = 1.0
    times = [chance.lognormvariate(math.log(10) - sigma * sigma / 2, sigma) for _ in range(20_000)]
    curve = kaplan_meier(Duration(min(time, 10), time <= 10) for time in times)
    seen = [time for time in times if time <= 10]
    truth = 0.5 * math.erfc((math.log(10) - (math.log(10) - sigma * sigma / 2)) / sigma / math.sqrt(2))
    assert sum(seen) / len(seen) < 5
    assert curve.at(10) == pytest.approx(truth, abs=0.01)
