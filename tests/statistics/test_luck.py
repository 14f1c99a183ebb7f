"""Chance alone spreads pages widely: what it explains is not called unfair."""

import numpy as np
import pytest

from calmo_pagerduty.statistics.luck import gini_by_chance, holm_adjusted, judge_luck, poisson_dispersion

EQUAL = (1.0,) * 6


def singles(*counts: int) -> list[list[int]]:
    return [[1] * count for count in counts]


def test_six_equal_people_and_thirty_pages_have_a_gini_of_a_fifth_by_chance() -> None:
    mean, high = gini_by_chance(6, 30)
    assert mean == pytest.approx(0.21, abs=0.005)
    assert high == pytest.approx(0.32, abs=0.01)


def test_nine_pages_of_thirty_are_luck() -> None:
    test = judge_luck(EQUAL, singles(9, 7, 5, 4, 3, 2))
    assert test is not None
    assert test.p_value == pytest.approx(0.22, abs=0.03)


def test_seventeen_pages_of_thirty_are_not_luck() -> None:
    test = judge_luck(EQUAL, singles(17, 4, 3, 3, 2, 1))
    assert test is not None
    assert test.p_value < 0.001
    assert test.bands[0].high < 17
    assert all(
        band.low <= count <= band.high for band, count in zip(test.bands[1:], (4, 3, 3, 2, 1), strict=True)
    )


def test_the_band_is_the_binomial_one_and_follows_the_time_on_call() -> None:
    from scipy.stats import binom

    test = judge_luck((3, 1), singles(30, 10))
    assert test is not None
    low, high = binom.ppf((0.025, 0.975), 40, 0.75)
    assert test.bands[0].expected == 30
    assert (test.bands[0].low, test.bands[0].high) == pytest.approx((low, high), abs=1)
    assert test.p_values[0] == pytest.approx(binom.sf(29, 40, 0.75), abs=0.02)


def test_a_storm_of_pages_is_a_single_piece_of_bad_luck() -> None:
    storm = judge_luck(EQUAL, [[12], [1], [1], [1], [1], [1]])
    spread = judge_luck(EQUAL, singles(12, 1, 1, 1, 1, 1))
    assert storm is not None and spread is not None
    assert storm.p_value > 0.5
    assert spread.p_value < 0.01


def test_pages_of_a_person_who_was_never_on_call_are_not_luck() -> None:
    test = judge_luck((1, 1, 0), singles(3, 3, 1))
    assert test is not None
    assert test.p_value < 0.001


@pytest.mark.parametrize(("shares", "counts"), [((), ()), ((0, 0), (1, 1)), ((1, 1), (0, 0))])
def test_without_time_on_call_or_without_pages_there_is_nothing_to_judge(
    shares: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    assert judge_luck(shares, singles(*counts)) is None


def test_the_same_counts_give_the_same_p_value_again() -> None:
    assert judge_luck(EQUAL, singles(9, 7, 5, 4, 3, 2)) == judge_luck(EQUAL, singles(9, 7, 5, 4, 3, 2))


def test_in_accounts_where_only_chance_decides_one_in_twenty_is_called_unlucky() -> None:
    generator = np.random.default_rng(7)
    shares = (5.0, 4.0, 4.0, 3.0, 2.0)
    p_values = []
    for _ in range(200):
        counts = generator.multinomial(25, np.array(shares) / sum(shares))
        test = judge_luck(shares, singles(*counts), draws=999)
        assert test is not None
        p_values.append(test.p_value)
    assert sum(p_value <= 0.05 for p_value in p_values) <= 18


def test_the_horse_kicks_of_ten_corps_are_poisson() -> None:
    from scipy.stats import chi2

    counts = [kicks for kicks, years in enumerate((109, 65, 22, 3, 1)) for _ in range(years)]
    result = poisson_dispersion(counts)
    assert result is not None
    dispersion, p_value = result
    assert dispersion == pytest.approx(199.31, abs=0.01)
    assert p_value == pytest.approx(0.480, abs=0.001)
    assert p_value == pytest.approx(chi2.sf(dispersion, len(counts) - 1))


def test_holm_multiplies_the_smallest_p_value_by_their_number_and_keeps_the_order() -> None:
    assert holm_adjusted((0.01, 0.04, 0.03)) == pytest.approx((0.03, 0.06, 0.06))
