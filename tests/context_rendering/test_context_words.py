"""Figures in the words of a person."""

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.rendering.wording import (
    STATE_TEXT,
    candidate_text,
    format_chance,
    format_distance,
    format_lead_time,
    join_phrases,
)
from calmo_pagerduty.contexts.sources import SourceState
from tests.support.sample_context import a_context


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.0029, "1 in 340 by chance"),
        (0.064, "1 in 16 by chance"),
        (0.3, "1 in 3 by chance"),
        (0.000042, "1 in 24,000 by chance"),
        (0.49, "1 in 2 by chance"),
        (0.5, "as likely as not by chance"),
        (1.0, "as likely as not by chance"),
        (0.0, "less than 1 in 1,000,000 by chance"),
    ],
)
def test_a_chance_is_told_as_people_bet(chance: float, words: str) -> None:
    assert format_chance(chance) == words


@given(st.floats(0, 1))
def test_a_smaller_chance_is_never_told_as_a_larger_one(chance: float) -> None:
    def one_in(words: str) -> int:
        return int(words.partition(" by ")[0].rpartition(" ")[2].replace(",", "")) if words[0] in "1l" else 1

    assert one_in(format_chance(chance / 3)) >= one_in(format_chance(chance))


def test_before_and_after_are_told_apart() -> None:
    assert (format_lead_time(540), format_lead_time(-90), format_lead_time(0.4)) == (
        "9 min before",
        "90 s after",
        "at the same time",
    )
    assert (format_distance(0), format_distance(1), format_distance(2), format_distance(None)) == (
        "on this service",
        "1 hop upstream",
        "2 hops upstream",
        "as PagerDuty relates it",
    )
    assert join_phrases(["a", "b", "a", "c"]) == "a, b and c"


def test_a_candidate_is_never_called_the_cause() -> None:
    for candidate in a_context().assessment.root_cause.candidates:
        words = candidate_text(candidate)
        assert words.endswith("correlated, not proven") and "caused" not in words


def test_every_state_that_lacks_something_has_words() -> None:
    assert set(SourceState) - set(STATE_TEXT) == {SourceState.COMPLETE, SourceState.NOT_APPLICABLE}
