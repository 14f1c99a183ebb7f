"""An answer for an agent fits its budget, whatever it holds, and says what it left out."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ingress.mcp.answer_budget import MAX_ANSWER, MAX_CLEANED, fit, lean_list, size_of
from ingress.mcp.presentation import build_result
from tests.support.mcp_text import text_of

_SHORT = st.text(max_size=20)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), _SHORT),
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(_SHORT, inner, max_size=8)),
    max_leaves=40,
)


@settings(max_examples=50, deadline=None)
@given(value=VALUES, times=st.integers(1, 3000))
def test_whatever_is_too_long_is_cut_to_the_budget(value: Any, times: int) -> None:
    answer = {"items": [value] * times, "text": "long " * times}
    fitted = fit(answer)
    assert size_of(fitted) <= MAX_ANSWER
    assert fitted == answer or size_of(answer) > MAX_ANSWER


def test_what_is_left_out_is_counted_where_it_was() -> None:
    fitted = fit({"entries": [{"text": "x" * 90} for _ in range(1000)], "name": "Primary"})
    assert fitted["name"] == "Primary"
    kept = [entry for entry in fitted["entries"] if "text" in entry]
    assert fitted["entries"][-1] == {"left_out": 1000 - len(kept)}


def test_a_lists_items_lose_what_another_tool_shows() -> None:
    item = {
        "id": "P1", "title": "Down", "incident_key": "k", "alert_counts": {"all": 1},
        "service": {"id": "PS", "summary": "Shop", "type": "service"},
        "assigned_to": [{"id": "PU", "summary": "Ada", "type": "user"}],
    }  # fmt: skip
    (lean,) = lean_list({"items": [item], "next": None})["items"]
    assert lean == {
        "id": "P1", "title": "Down", "service": {"id": "PS", "summary": "Shop"},
        "assigned_to": item["assigned_to"],
    }  # fmt: skip
    assert lean_list(item) == item


@pytest.mark.parametrize(
    "result",
    [
        {"items": [{"title": "é\u200b\n" * 1_000} for _ in range(500)]},
        {"items": [{f"field {n}": "é\n" for n in range(50)} for _ in range(5_000)]},
        {"text": "\u200b" * 2_000_000},
        {"deep": {f"{n}": {f"{m}": ["é\n" * 40] * 30 for m in range(50)} for n in range(50)}},
    ],
    ids=["long texts", "many short texts", "nothing but invisible", "nested"],
)
def test_of_a_huge_answer_no_more_characters_are_looked_at_than_an_agent_may_get(result: Any) -> None:
    """Each costs a call on the event loop that takes PagerDuty's deliveries."""
    looked_at = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal looked_at
        looked_at += event == "call" and frame.f_code.co_name == "_is_visible"

    sys.setprofile(count)
    try:
        answer = build_result({"state": "done", "result": result})
    finally:
        sys.setprofile(None)
    assert 0 < looked_at <= MAX_CLEANED
    assert len(text_of(answer)) <= MAX_ANSWER + 500
