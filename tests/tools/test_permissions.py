"""Who may call which tool: held to a second judge that collects every opinion and then counts."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings, strategies as st

from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import ConnectionRules, Judgement, PrincipalRights, Switch, judge
from tests.support.examples import examples

NOBODY_KNOWS = TokenInfo()
EVERYTHING = PrincipalRights(frozenset({"tools:read", "tools:write"}), ("T1",))
ALL_ABILITIES = sorted({ability for tool in TOOLS.values() for ability in tool.abilities})
ALL_SCOPES = sorted({scope for tool in TOOLS.values() for scope in tool.scopes})
READS = [tool for tool in TOOLS.values() if tool.access is Access.READ]
WRITES = [tool for tool in TOOLS.values() if tool.access is Access.WRITE]

SELECTORS = st.one_of(
    st.sampled_from([f"tool:{name}" for name in TOOLS]),
    st.sampled_from([f"category:{category}" for category in Category]),
    st.sampled_from([f"risk:{risk}" for risk in Risk]),
)
SWITCHES = st.dictionaries(SELECTORS, st.sampled_from(Switch), max_size=5)
TEAMS = ("T1", "T2", "T3")
RULES = st.builds(
    ConnectionRules,
    switches=SWITCHES,
    teams=st.dictionaries(st.sampled_from(TEAMS), SWITCHES, max_size=3),
    approve=st.frozensets(st.sampled_from(Risk)),
)
CALLERS = st.builds(
    PrincipalRights,
    st.frozensets(st.sampled_from(["tools:read", "tools:write", "issues:read"])),
    st.lists(st.sampled_from((*TEAMS, "T4")), max_size=3).map(tuple),
)
FACTS = st.builds(
    TokenInfo,
    role=st.sampled_from([None, "admin", "limited_user", "read_only_user", "read_only_limited_user"]),
    read_only=st.booleans(),
    abilities=st.none() | st.just(frozenset(ALL_ABILITIES)) | st.frozensets(st.sampled_from(ALL_ABILITIES)),
    scopes=st.none() | st.just(frozenset(ALL_SCOPES)) | st.frozensets(st.sampled_from(ALL_SCOPES)),
)


@dataclass(frozen=True)
class Opinion:
    """What one rule says of a call."""

    allows: bool
    rule: str


def opinions(tool: Tool, caller: PrincipalRights, rules: ConnectionRules, facts: TokenInfo) -> set[Opinion]:
    """Collect every opinion there is, in no order."""
    concerned = {f"tool:{tool.name}", f"category:{tool.category.value}", f"risk:{tool.risk.value}"}
    heard: dict[str, Mapping[str, Switch]] = {"the connection": rules.switches}
    heard |= {f"the team {team}": switches for team, switches in rules.teams.items() if team in caller.teams}
    found = {
        Opinion(switch == "allow", f"{who} {selector}")
        for who, switches in heard.items()
        for selector, switch in switches.items()
        if selector in concerned
    }
    needed = f"tools:{tool.access.value}"
    forbidden = {f"key {needed}"} - {f"key {permission}" for permission in caller.permissions}
    if tool.writes and (facts.read_only or str(facts.role).startswith("read_only")):
        forbidden.add("pagerduty role")
    if facts.abilities is not None:
        forbidden |= {f"pagerduty ability {ability}" for ability in set(tool.abilities) - facts.abilities}
    if facts.scopes is not None:
        forbidden |= {f"pagerduty scope {scope}" for scope in set(tool.scopes) - facts.scopes}
    return found | {Opinion(False, rule) for rule in forbidden}


def hold_to_the_oracle(
    tool: Tool, caller: PrincipalRights, rules: ConnectionRules, facts: TokenInfo
) -> Judgement:
    judgement = judge(tool, caller, rules, facts)
    heard = opinions(tool, caller, rules, facts)
    against = {opinion.rule for opinion in heard if not opinion.allows}
    in_favour = {opinion.rule for opinion in heard if opinion.allows}
    by_default = tool.access is Access.READ
    assert judgement.allowed is (not against and bool(in_favour or by_default))
    # What decided is one of those who said so; the default only where nobody said anything.
    assert judgement.rule in (against or in_favour or {"default"})
    wants_a_person = judgement.allowed and tool.writes and tool.risk in rules.approve
    assert judgement.needs_approval is wants_a_person
    assert judgement.rule.split(" ")[-1] in judgement.words or judgement.rule in {"default", "pagerduty role"}
    return judgement


@settings(max_examples=examples(400), deadline=None)
@given(st.sampled_from(list(TOOLS.values())), CALLERS, RULES, FACTS)
def test_any_call_is_judged_as_by_counting_opinions(
    tool: Tool, caller: PrincipalRights, rules: ConnectionRules, facts: TokenInfo
) -> None:
    hold_to_the_oracle(tool, caller, rules, facts)


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_a_call_whose_rules_all_concern_it_is_judged_as_by_counting_opinions(data: st.DataObject) -> None:
    """As above, with nothing beside the point: allow and deny meet in every example."""
    tool = data.draw(st.sampled_from(list(TOOLS.values())))
    own = st.sampled_from([f"tool:{tool.name}", f"category:{tool.category}", f"risk:{tool.risk}"])
    switches = st.dictionaries(own, st.sampled_from(Switch), max_size=3)
    rules = ConnectionRules(switches=data.draw(switches), teams={"T1": data.draw(switches)})
    hold_to_the_oracle(tool, EVERYTHING, rules, NOBODY_KNOWS)


def test_every_tool_under_every_setting_of_its_switches_is_judged_so() -> None:
    settings_of_a_switch = (None, Switch.ALLOW, Switch.DENY)
    judged, allowed = 0, 0
    for tool in TOOLS.values():
        own = (f"tool:{tool.name}", f"category:{tool.category}", f"risk:{tool.risk}")
        for standing in itertools.product(settings_of_a_switch, repeat=4):
            switches = {name: switch for name, switch in zip(own, standing[:3], strict=True) if switch}
            team = {own[0]: standing[3]} if standing[3] else {}
            rules = ConnectionRules.model_construct(switches=switches, teams={"T1": team})
            for permissions in (set(), {"tools:read"}, {"tools:write"}, EVERYTHING.permissions):
                caller = PrincipalRights(frozenset(permissions), ("T1",))
                judged += 1
                allowed += hold_to_the_oracle(tool, caller, rules, NOBODY_KNOWS).allowed
    assert judged == len(TOOLS) * 81 * 4
    # Of 81 settings 16 deny nothing; one of them says nothing at all. Two of four keys permit it.
    assert allowed == len(READS) * 16 * 2 + len(WRITES) * 15 * 2


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_reads_are_on_and_writes_are_off_until_somebody_says_otherwise(tool: Tool) -> None:
    judgement = judge(tool, EVERYTHING, ConnectionRules(), NOBODY_KNOWS)
    assert judgement.allowed is (tool.access is Access.READ)
    assert judgement.rule == "default"
    assert judgement.allowed or f"tool:{tool.name}" in judgement.words


@pytest.mark.parametrize("tool", WRITES, ids=lambda tool: tool.name)
def test_what_is_of_high_risk_waits_for_a_person_unless_the_rules_say_otherwise(tool: Tool) -> None:
    switched_on = ConnectionRules(switches={f"tool:{tool.name}": Switch.ALLOW})
    assert judge(tool, EVERYTHING, switched_on, NOBODY_KNOWS).needs_approval is (tool.risk is Risk.HIGH)
    for asked in (frozenset[Risk](), frozenset(Risk)):
        rules = switched_on.model_copy(update={"approve": asked})
        assert judge(tool, EVERYTHING, rules, NOBODY_KNOWS).needs_approval is bool(asked)


@pytest.mark.parametrize("tool", READS, ids=lambda tool: tool.name)
def test_a_read_never_waits_for_a_person(tool: Tool) -> None:
    rules = ConnectionRules(approve=frozenset(Risk), switches={"risk:low": Switch.ALLOW})
    assert not judge(tool, EVERYTHING, rules, NOBODY_KNOWS).needs_approval


@pytest.mark.parametrize(
    ("name", "caller", "rules", "facts", "rule", "words"),
    [
        (
            "get_incident",
            PrincipalRights(frozenset({"tools:write"})),
            {},
            {},
            "key tools:read",
            "this API key",
        ),
        (
            "get_incident",
            EVERYTHING,
            {"switches": {"risk:low": "deny"}},
            {},
            "the connection risk:low",
            "the connection switches risk:low off",
        ),
        (
            "get_incident",
            EVERYTHING,
            {"teams": {"T1": {"tool:get_incident": "deny"}}},
            {},
            "the team T1 tool:get_incident",
            "the team T1 switches tool:get_incident off",
        ),
        ("resolve_incident", EVERYTHING, {}, {"read_only": True}, "pagerduty role", "can only read"),
        ("resolve_incident", EVERYTHING, {}, {"role": "read_only_user"}, "pagerduty role", "can only read"),
        ("get_incident", EVERYTHING, {}, {"scopes": []}, "pagerduty scope incidents.read", "incidents.read"),
        ("list_priorities", EVERYTHING, {}, {"scopes": ["priorities.read"]}, "default", "on by default"),
    ],
)
def test_a_judgement_names_its_rule_and_says_it_in_words(
    name: str,
    caller: PrincipalRights,
    rules: dict[str, object],
    facts: dict[str, object],
    rule: str,
    words: str,
) -> None:
    given_facts = TokenInfo.model_validate(facts)
    judgement = judge(TOOLS[name], caller, ConnectionRules.model_validate(rules), given_facts)
    assert judgement.rule == rule
    assert words in judgement.words


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.abilities])
def test_a_tool_that_the_plan_lacks_is_refused_whatever_the_switches_say(name: str) -> None:
    tool = TOOLS[name]
    rules = ConnectionRules(switches={f"tool:{name}": Switch.ALLOW})
    judgement = judge(tool, EVERYTHING, rules, TokenInfo(abilities=frozenset()))
    assert judgement.rule == f"pagerduty ability {tool.abilities[0]}"
    assert judge(tool, EVERYTHING, rules, TokenInfo(abilities=frozenset(tool.abilities))).allowed


def test_another_teams_switches_are_nobody_elses() -> None:
    rules = ConnectionRules(teams={"T2": {"risk:low": Switch.DENY, "risk:medium": Switch.ALLOW}})
    assert judge(TOOLS["get_incident"], EVERYTHING, rules, NOBODY_KNOWS).allowed
    assert not judge(TOOLS["resolve_incident"], EVERYTHING, rules, NOBODY_KNOWS).allowed


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(list(TOOLS.values())), CALLERS, RULES, FACTS, SELECTORS)
@example(TOOLS["get_incident"], EVERYTHING, ConnectionRules(), NOBODY_KNOWS, "risk:low")
def test_a_further_denial_never_lets_a_call_through(
    tool: Tool, caller: PrincipalRights, rules: ConnectionRules, facts: TokenInfo, selector: str
) -> None:
    stricter = rules.model_copy(update={"switches": {**rules.switches, selector: Switch.DENY}})
    before, after = (judge(tool, caller, ruleset, facts).allowed for ruleset in (rules, stricter))
    assert before or not after
