"""The fairness table and the numbers of chance are those that were published or computed by hand."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.statistics.fairness import gini, jain, leximax_key, unfairness

#: Share, √Σ(x-m)², Gini, Jain. Table and order A > B > … > G: Timefold's documentation of load balancing.
TABLE = {
    "A": ((3, 3, 3, 3, 3), 0, 0, 1),
    "B": ((4, 4, 3, 2, 2), 2, 0.16, 0.9184),
    "C": ((5, 3, 3, 2, 2), 2.449490, 0.1867, 0.8824),
    "D": ((5, 5, 2, 2, 1), 3.741657, 0.2933, 0.7627),
    "E": ((6, 3, 3, 2, 1), 3.741657, 0.2933, 0.7627),
    "F": ((5, 6, 2, 1, 1), 4.690416, 0.3733, 0.6716),
    "G": ((11, 1, 1, 1, 1), 8.944272, 0.5333, 0.36),
}
AMOUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=12)


@pytest.mark.parametrize(("amounts", "distance", "coefficient", "index"), TABLE.values(), ids=TABLE)
def test_the_indices_equal_the_published_table(
    amounts: tuple[int, ...], distance: float, coefficient: float, index: float
) -> None:
    assert unfairness(amounts) == pytest.approx(distance, abs=1e-6)
    assert gini(amounts) == pytest.approx(coefficient, abs=1e-4)
    assert jain(amounts) == pytest.approx(index, abs=1e-4)


def test_only_leximax_ranks_d_before_e() -> None:
    d, e = TABLE["D"][0], TABLE["E"][0]
    assert unfairness(d) == unfairness(e)
    assert gini(d) == gini(e)
    assert jain(d) == jain(e)
    assert leximax_key(d) < leximax_key(e)


def test_leximax_ranks_the_whole_table_as_published() -> None:
    ranked = sorted(TABLE, key=lambda name: leximax_key(TABLE[name][0]))
    assert ranked == list("ABCDEFG")


def test_gini_and_jain_of_cases_that_can_be_done_by_hand() -> None:
    assert gini([1, 2, 3, 4, 5]) == pytest.approx(0.2667, abs=1e-4)
    assert jain([1, 0, 0, 0]) == 0.25


@pytest.mark.parametrize("amounts", [[], [0], [0, 0, 0]])
def test_nothing_to_bear_is_unknown_and_not_fair(amounts: list[float]) -> None:
    assert gini(amounts) is None
    assert jain(amounts) is None


@given(AMOUNTS, st.randoms(use_true_random=False), st.integers(1, 50))
def test_order_and_unit_change_nothing(amounts: list[int], random: Random, factor: int) -> None:
    shuffled = list(amounts)
    random.shuffle(shuffled)
    scaled = [factor * amount for amount in shuffled]
    assert gini(scaled) == pytest.approx(gini(amounts))
    assert jain(scaled) == pytest.approx(jain(amounts))
    assert leximax_key(shuffled) == leximax_key(amounts)


@given(AMOUNTS.filter(lambda amounts: len(amounts) > 1))
def test_taking_from_the_most_loaded_for_the_least_is_fairer_by_leximax(amounts: list[int]) -> None:
    least, *_, most = sorted(amounts)
    if most - least >= 2:
        moved = sorted(amounts)
        moved[0] += 1
        moved[-1] -= 1
        assert leximax_key(moved) < leximax_key(amounts)
        assert unfairness(moved) < unfairness(amounts)
