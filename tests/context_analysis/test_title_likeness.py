"""Likeness of titles: mutual, whole with itself, the same with any index."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.contexts.analysis import title_index
from calmo_pagerduty.contexts.analysis.title_index import TitleIndex, TitleSimilarity

TITLES = st.lists(st.text(max_size=40), min_size=2, max_size=8)


@settings(deadline=None)
@given(TITLES)
def test_every_title_is_like_itself_and_likeness_is_mutual(titles: list[str]) -> None:
    likeness = TitleSimilarity(titles).scores_for_each(titles)
    assert np.all(np.diag(likeness) == 1.0)
    assert np.allclose(likeness, likeness.T, rtol=0, atol=1e-12)
    assert likeness.min() >= 0 and likeness.max() <= 1


@settings(deadline=None)
@given(TITLES, TITLES)
def test_what_an_index_knows_beside_changes_no_result(titles: list[str], others: list[str]) -> None:
    grown = TitleIndex().with_titles(others).with_titles(titles)
    assert np.array_equal(
        TitleSimilarity(titles).scores_for_each(others),
        TitleSimilarity(titles, grown).scores_for_each(others),
    )


def test_rare_words_tell_more_than_common_ones() -> None:
    titles = [f"high cpu on {host}" for host in ("alpha", "beta", "gamma", "delta")] + ["kafka lag on alpha"]
    like = TitleSimilarity(titles).scores_for("kafka offline")
    assert like.argmax() == 4
    assert like[4] > 3 * like[:4].max()


def test_likeness_is_the_cosine_of_weights_counted_by_hand() -> None:
    # Pieces of " ab ": " ab", "ab "; of " abc ": " ab", "abc", "bc ". One of them is in both titles.
    both, alone = 1 + np.log(3 / 3), 1 + np.log(3 / 2)
    expected = both**2 / (np.hypot(both, alone) * np.sqrt(both**2 + 2 * alone**2))
    assert TitleSimilarity(["ab", "abc"]).scores_for("ab")[1] == pytest.approx(expected, rel=1e-12)


def test_an_index_grows_and_is_itself_when_it_knows_all() -> None:
    small = TitleIndex().with_titles(["disk full 1", "disk full 2"])
    assert len(small.rows) == 1
    assert small.with_titles(["disk full 2"]) is small
    large = small.with_titles(["kafka lag"])
    assert (len(small.rows), len(large.rows)) == (1, 2)


def test_an_index_that_would_grow_too_large_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title_index, "MAX_TITLES", 3)
    index = TitleIndex().with_titles(["a", "b", "c"]).with_titles(["d"])
    assert list(index.masks) == ["d"]
    assert len(TitleIndex().with_titles(list("abcdef")).masks) == 6


def test_many_titles_are_compared_in_batches_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = [
        f"{subject} is {two}" for subject in ("disk", "kafka", "login") for two in ("slow", "down", "full")
    ]
    at_once = TitleSimilarity(titles).scores_for_each(titles)
    monkeypatch.setattr(title_index, "MAX_MATRIX_CELLS", 1)
    assert np.array_equal(TitleSimilarity(titles).scores_for_each(titles), at_once)


def test_without_titles_nothing_is_alike() -> None:
    assert TitleSimilarity([]).scores_for("disk full").shape == (0,)
    assert TitleSimilarity(["", "x"]).scores_for("").tolist() == [1.0, 0.0]
