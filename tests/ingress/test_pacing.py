"""How long an incident's events are collected: not at all in quiet times, a little in a storm."""

import pytest
from hypothesis import given, strategies as st

from ingress.forwarding.pacing import (
    CALM_PER_SECOND,
    MAX_SECONDS,
    WINDOW_SECONDS,
    ArrivalRate,
    collection_seconds,
    reading_seconds,
)


def test_in_quiet_times_an_event_goes_on_at_once() -> None:
    assert collection_seconds(0.0) == 0.0
    assert collection_seconds(CALM_PER_SECOND) == 0.0


def test_the_busier_the_longer_but_never_longer_than_a_moment() -> None:
    assert collection_seconds(100.0) == pytest.approx(0.02)
    assert collection_seconds(1_000_000.0) == MAX_SECONDS


def test_only_in_a_storm_does_a_reading_of_the_inbox_wait_for_more() -> None:
    assert reading_seconds(CALM_PER_SECOND) == 0.0
    assert 0.0 < reading_seconds(CALM_PER_SECOND + 1) < WINDOW_SECONDS


@given(slower=st.floats(0, 1e6), faster=st.floats(0, 1e6))
def test_a_busier_time_never_collects_for_less_long(slower: float, faster: float) -> None:
    low, high = sorted((slower, faster))
    assert collection_seconds(low) <= collection_seconds(high) <= MAX_SECONDS


def test_the_rate_is_that_of_the_last_moments() -> None:
    rate = ArrivalRate()
    rate.record(10, now=100.0)
    rate.record(5, now=100.0 + WINDOW_SECONDS / 2)
    assert rate.per_second(100.0 + WINDOW_SECONDS / 2) == pytest.approx(15 / WINDOW_SECONDS)
    assert rate.per_second(100.0 + WINDOW_SECONDS * 1.25) == pytest.approx(5 / WINDOW_SECONDS)
    assert rate.per_second(100.0 + WINDOW_SECONDS * 2) == 0.0


def test_nothing_that_arrived_is_no_arrival() -> None:
    rate = ArrivalRate()
    rate.record(0, now=1.0)
    assert rate.per_second(1.0) == 0.0
