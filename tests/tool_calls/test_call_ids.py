"""What binds an approval to a call, and what makes two askings the same call."""

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.tool_calls.model import (
    OPEN_STATES,
    CallState,
    arguments_sha256,
    call_id_for,
    tool_call_workflow_id,
)
from tests.support.examples import examples

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(), VALUES, max_size=4)


@settings(max_examples=200, deadline=None)
@given(ARGUMENTS, st.randoms(use_true_random=False))
def test_the_same_arguments_in_another_order_have_the_same_hash(
    arguments: dict[str, Any], chance: random.Random
) -> None:
    names = list(arguments)
    chance.shuffle(names)
    shuffled = {name: arguments[name] for name in names}
    copied = json.loads(json.dumps(shuffled))
    assert arguments_sha256("tool", arguments) == arguments_sha256("tool", copied)


@settings(max_examples=examples(150), deadline=None)
@given(ARGUMENTS, ARGUMENTS)
def test_other_arguments_have_another_hash(arguments: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(arguments, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (arguments_sha256("tool", arguments) == arguments_sha256("tool", other)) is same


@pytest.mark.parametrize(
    ("arguments", "other"),
    [
        ({"id": "1"}, {"id": 1}),
        ({"on": True}, {"on": 1}),
        ({"ids": ["a", "b"]}, {"ids": ["b", "a"]}),
        ({"note": None}, {}),
        ({"note": "é"}, {"note": "e\u0301"}),
    ],
)
def test_what_only_looks_alike_has_another_hash(arguments: dict[str, Any], other: dict[str, Any]) -> None:
    assert arguments_sha256("tool", arguments) != arguments_sha256("tool", other)


def test_an_approval_of_one_tool_is_none_of_another() -> None:
    assert arguments_sha256("resolve_incident", {"id": "P1"}) != arguments_sha256(
        "snooze_incident", {"id": "P1"}
    )


@settings(max_examples=examples(150), deadline=None)
@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_a_calls_id_is_its_own(identity: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (call_id_for(*identity) == call_id_for(*other)) is (identity == other)
    assert re.fullmatch(r"tc_[0-9a-f]{24}", call_id_for(*identity))


def test_no_text_moves_from_one_part_of_an_id_into_the_next() -> None:
    parts = [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ('a","b', "c", ""), ("", "a", '"b","c"')]
    assert len({call_id_for(*part) for part in parts}) == len(parts)


def test_a_calls_workflow_names_the_call_and_its_connection() -> None:
    assert tool_call_workflow_id("con_1", "tc_2") == "pd-tool:tc_2:con_1"


def test_only_a_call_that_waits_or_runs_can_still_change() -> None:
    ended = {"done", "failed", "unknown", "denied", "expired", "refused"}
    assert {state.value for state in set(CallState) - OPEN_STATES} == ended
