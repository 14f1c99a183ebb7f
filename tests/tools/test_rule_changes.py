"""Which changes of a connection's rules only an administrator may make, and which rules are none."""

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Category, Risk
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import (
    DEFAULT_WRITES_PER_HOUR,
    ConnectionRules,
    InvalidSelector,
    PrincipalRights,
    Switch,
    check_selector,
    enables_writes,
    judge,
)
from tests.support.examples import examples

#: Few names, so that two drawn rules meet.
TOOL_NAMES = ("get_incident", "resolve_incident", "create_incident", "update_schedule")
SELECTORS = st.sampled_from(
    [*(f"tool:{name}" for name in TOOL_NAMES), "category:incident-management", "risk:medium", "risk:high"]
)
SWITCHES = st.dictionaries(SELECTORS, st.sampled_from(Switch), max_size=3)
TEAMS = ("T1", "T2")
CAPS = st.integers(0, 3)
RULES = st.builds(
    ConnectionRules,
    switches=SWITCHES,
    teams=st.dictionaries(st.sampled_from(TEAMS), SWITCHES, max_size=2),
    approve=st.frozensets(st.sampled_from(Risk)),
    medium_after_untrusted=st.booleans(),
    approval_hours=st.sampled_from([1.0, 24.0]),
    writes_per_hour=CAPS,
    tool_writes_per_hour=st.dictionaries(st.sampled_from(TOOL_NAMES), CAPS, max_size=2),
)
BOTH = frozenset({"tools:read", "tools:write"})
#: One tool of each kind that the drawn rules can tell apart.
TOLD_APART = [TOOLS[name] for name in (*TOOL_NAMES, "add_incident_note", "update_escalation_policy")]
CALLERS = [
    PrincipalRights(BOTH, teams, has_read_untrusted)
    for teams in ((), ("T1",), ("T2",), TEAMS)
    for has_read_untrusted in (False, True)
]
ON = Switch.ALLOW
OFF = Switch.DENY


def lets_more_happen(
    tool: Tool, caller: PrincipalRights, before: ConnectionRules, after: ConnectionRules
) -> bool:
    was, is_ = (judge(tool, caller, rules, TokenInfo()) for rules in (before, after))
    newly = is_.allowed and not was.allowed
    alone = is_.allowed and was.needs_approval and not is_.needs_approval
    more = is_.allowed and after.cap(tool.name) > before.cap(tool.name)
    return tool.writes and (newly or alone or more)


@settings(max_examples=examples(400), deadline=None)
@given(RULES, RULES)
def test_no_change_that_lets_a_write_happen_goes_unnoticed(
    before: ConnectionRules, after: ConnectionRules
) -> None:
    if any(lets_more_happen(tool, caller, before, after) for tool in TOLD_APART for caller in CALLERS):
        assert enables_writes(before, after)


@settings(max_examples=examples(200), deadline=None)
@given(RULES, st.data())
def test_no_small_change_that_lets_a_write_happen_goes_unnoticed(
    before: ConnectionRules, data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(ConnectionRules.model_fields)))
    after = before.model_copy(update={field: getattr(data.draw(RULES), field)})
    if any(lets_more_happen(tool, caller, before, after) for tool in TOLD_APART for caller in CALLERS):
        assert enables_writes(before, after)


@settings(max_examples=examples(150), deadline=None)
@given(RULES, SELECTORS)
def test_a_plain_restriction_needs_no_administrator(rules: ConnectionRules, selector: str) -> None:
    assert not enables_writes(rules, rules)
    off = rules.model_copy(update={"switches": {**rules.switches, selector: OFF}})
    careful = rules.model_copy(update={"approve": frozenset(Risk), "approval_hours": 0.5})
    no_writes = rules.model_copy(update={"writes_per_hour": 0, "tool_writes_per_hour": {}})
    for stricter in (off, careful, no_writes):
        assert not enables_writes(rules, stricter)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"switches": {"tool:resolve_incident": ON}}),
        ({"switches": {"risk:high": OFF}}, {}),
        ({"switches": {"risk:high": OFF}}, {"switches": {"risk:high": ON}}),
        ({}, {"teams": {"T1": {"risk:medium": ON}}}),
        ({"teams": {"T1": {"risk:medium": OFF}}}, {}),
        ({"approve": {Risk.HIGH, Risk.MEDIUM}}, {"approve": {Risk.HIGH}}),
        ({"approve": {Risk.HIGH}}, {"approve": {Risk.MEDIUM}}),
        ({}, {"writes_per_hour": DEFAULT_WRITES_PER_HOUR + 1}),
        ({}, {"tool_writes_per_hour": {"resolve_incident": DEFAULT_WRITES_PER_HOUR + 1}}),
        ({"tool_writes_per_hour": {"resolve_incident": 1}}, {}),
        ({}, {"approval_hours": 25}),
        ({}, {"medium_after_untrusted": True}),
    ],
)
def test_each_way_of_letting_more_happen_is_noticed(
    before: dict[str, object], after: dict[str, object]
) -> None:
    rules, other = ConnectionRules.model_validate(before), ConnectionRules.model_validate(after)
    assert enables_writes(rules, other)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"switches": {"risk:high": ON}}, {}),
        ({}, {"switches": {"risk:high": OFF}}),
        ({"teams": {"T1": {"risk:high": ON}}}, {}),
        ({}, {"approve": {Risk.HIGH, Risk.MEDIUM}}),
        ({}, {"writes_per_hour": 1}),
        ({}, {"tool_writes_per_hour": {"resolve_incident": 1}}),
        ({}, {"approval_hours": 1}),
    ],
)
def test_each_way_of_letting_less_happen_is_free(before: dict[str, object], after: dict[str, object]) -> None:
    rules, other = ConnectionRules.model_validate(before), ConnectionRules.model_validate(after)
    assert not enables_writes(rules, other)
    assert enables_writes(other, rules)


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "tool",
        "tool:",
        "tool:a b",
        "tool:a-b",
        "tools:x",
        "category:",
        "category:incidents",
        "risk:huge",
        "risk:HIGH",
        "risk:low ",
        " risk:low",
        "Risk:low",
        "risk:low:high",
        "*",
        "x" * 500,
    ],
)
def test_what_is_no_selector_is_refused_in_words(selector: str) -> None:
    with pytest.raises(
        InvalidSelector, match=r"^a switch is tool:NAME, category:NAME \(.*\) or risk:LEVEL"
    ) as told:
        check_selector(selector)
    assert len(str(told.value)) < 350
    for rules in ({"switches": {selector: "allow"}}, {"teams": {"T1": {selector: "deny"}}}):
        with pytest.raises(ValidationError, match="a switch is tool:NAME"):
            ConnectionRules.model_validate(rules)


def test_every_tool_category_and_risk_can_be_switched() -> None:
    selectors = [
        *(f"tool:{name}" for name in TOOLS),
        *(f"category:{category}" for category in Category),
        *(f"risk:{risk}" for risk in Risk),
    ]
    switches = dict.fromkeys(selectors, ON)
    assert ConnectionRules(switches=switches).switches == switches


@pytest.mark.parametrize(
    "rules",
    [
        {"switches": {"risk:low": "on"}},
        {"approve": ["huge"]},
        {"approval_hours": 0},
        {"approval_hours": 24 * 30 + 1},
        {"writes_per_hour": -1},
        {"tool_writes_per_hour": {"resolve_incident": -1}},
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ConnectionRules.model_validate(rules)


@settings(max_examples=examples(150), deadline=None)
@given(RULES)
def test_rules_are_read_back_as_they_were_written(rules: ConnectionRules) -> None:
    assert ConnectionRules.model_validate_json(rules.model_dump_json()) == rules
    assert ConnectionRules.model_validate(rules.model_dump(mode="json")) == rules
