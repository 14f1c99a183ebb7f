"""Intervals and chances, beside what is counted by hand and beside scipy.stats."""

import functools
import math
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from calmo_pagerduty.statistics.estimators import (
    MIN_P_VALUE,
    benjamini_hochberg_threshold,
    poisson_at_least_one,
    poisson_tail,
    wilson_interval,
)


@functools.cache
def _stats() -> Any:
    """Imported when it is needed: it takes a second, and each process of a run reads this file."""
    from scipy import stats

    return stats


def test_wilson_bounds_as_counted_by_hand() -> None:
    found = wilson_interval(4, 5)
    assert found is not None
    assert found.low == pytest.approx(0.3755, abs=1e-4)
    assert found.high == pytest.approx(0.9638, abs=1e-4)
    assert wilson_interval(0, 0) is None


@given(of=st.integers(1, 500), share=st.floats(0, 1))
def test_a_wilson_interval_holds_the_share_and_stays_within_0_and_1(of: int, share: float) -> None:
    found = wilson_interval(round(of * share), of)
    assert found is not None
    assert 0 <= found.low <= round(of * share) / of + 1e-9
    assert round(of * share) / of - 1e-9 <= found.high <= 1


def test_chances_of_a_poisson_stream() -> None:
    assert poisson_at_least_one(2.0, 0.5) == pytest.approx(1 - math.exp(-1))
    assert poisson_at_least_one(2.0, -1) == 0
    assert poisson_tail(1, 1.0) == pytest.approx(1 - math.exp(-1))
    assert poisson_tail(3, 2.0) == pytest.approx(1 - math.exp(-2) * (1 + 2 + 2))
    assert poisson_tail(5, 0.01) == pytest.approx(0.01**5 / 120, rel=0.01)
    assert poisson_tail(0, 3.0) == 1
    assert poisson_tail(1000, 1.0) == 1e-15


@given(count=st.integers(1, 200), expected=st.floats(0.001, 300))
def test_more_is_less_likely(count: int, expected: float) -> None:
    assert 0 < poisson_tail(count + 1, expected) <= poisson_tail(count, expected) <= 1


def test_benjamini_hochberg_as_counted_by_hand() -> None:
    # Levels for four: 0.0125, 0.025, 0.0375, 0.05. The third is the last below its own.
    assert benjamini_hochberg_threshold([0.01, 0.03, 0.035, 0.9], 0.05) == 0.035
    assert benjamini_hochberg_threshold([0.02, 0.03, 0.2, 0.9], 0.05) == -1.0
    assert benjamini_hochberg_threshold([], 0.05) == -1.0


@given(of=st.integers(1, 100_000), share=st.floats(0, 1))
def test_the_wilson_interval_is_scipys(of: int, share: float) -> None:
    successes = round(of * share)
    theirs = _stats().binomtest(successes, of).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, of) == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-9)


@given(rate=st.floats(0, 1e3), within=st.floats(0, 1e3))
def test_the_chance_of_one_is_scipys(rate: float, within: float) -> None:
    assert poisson_at_least_one(rate, within) == pytest.approx(
        float(_stats().poisson.sf(0, rate * within)), rel=1e-9
    )


@given(count=st.integers(0, 2_000), expected=st.floats(1e-6, 700))
def test_the_chance_of_many_is_scipys(count: int, expected: float) -> None:
    theirs = max(MIN_P_VALUE, float(_stats().poisson.sf(count - 1, expected)))
    assert poisson_tail(count, expected) == pytest.approx(theirs, rel=1e-8, abs=1e-12)


@given(chances=st.lists(st.floats(0, 1), min_size=1, max_size=50), level=st.floats(0.001, 0.5))
def test_what_is_accepted_is_what_scipys_false_discovery_control_lets_pass(
    chances: list[float], level: float
) -> None:
    adjusted = _stats().false_discovery_control(chances)
    # At a tie of a p-value and its threshold the two round differently.
    assume(not any(math.isclose(value, level, rel_tol=1e-9) for value in adjusted))
    theirs = [chance for chance, value in zip(chances, adjusted, strict=True) if value <= level]
    assert benjamini_hochberg_threshold(chances, level) == max(theirs, default=-1.0)
