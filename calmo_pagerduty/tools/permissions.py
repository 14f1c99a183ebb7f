"""Decide who may call which tool. The authorizer decides for each call, and again before each attempt.

A call is allowed if nothing forbids it (the API key, the connection's switches, the switches for the key's
teams, the token's rights at PagerDuty) and something allows it: a switch, or the default for reads. A switch
that is off wins over any that is on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.model import Tool

#: The permission that an API key needs for each kind of tool.
KEY_PERMISSION: Mapping[Access, str] = {Access.READ: "tools:read", Access.WRITE: "tools:write"}

#: PagerDuty's roles that can't write anything, whatever their role in a team.
READ_ONLY_ROLES = frozenset({"read_only_user", "read_only_limited_user"})

DEFAULT_WRITES_PER_HOUR = 60


#: Begins the rule of a call that waits since its agent has read foreign texts.
UNTRUSTED_RULE = "after untrusted text:"


class Switch(StrEnum):
    """What a permission says of the tools that it selects."""

    ALLOW = "allow"
    DENY = "deny"


class InvalidSelector(ValueError):
    """The text is not tool:NAME, category:NAME or risk:LEVEL."""


#: Selector (tool:NAME, category:NAME, risk:LEVEL) → allow or deny.
Switches = Mapping[str, Switch]


class ConnectionRules(FrozenModel):
    """What a connection allows. By default, reads are on and writes are off."""

    switches: Mapping[str, Switch] = {}
    #: Team id → further switches for calls on behalf of the team.
    teams: Mapping[str, Switches] = {}
    #: Writes of these risks wait for a person's approval.
    approve: frozenset[Risk] = frozenset({Risk.HIGH})
    #: Agents that have read foreign texts make writes of medium risk without an approval.
    medium_after_untrusted: bool = False
    approval_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 24.0
    #: How many writes each tool may make in an hour, and exceptions by tool.
    writes_per_hour: Annotated[int, Field(ge=0, le=100_000)] = DEFAULT_WRITES_PER_HOUR
    tool_writes_per_hour: Mapping[str, Annotated[int, Field(ge=0, le=100_000)]] = {}

    @field_validator("switches")
    @classmethod
    def _selectors_exist(cls, switches: Switches) -> Switches:
        for selector in switches:
            check_selector(selector)
        return switches

    @field_validator("teams")
    @classmethod
    def _team_selectors_exist(cls, teams: Mapping[str, Switches]) -> Mapping[str, Switches]:
        for switches in teams.values():
            for selector in switches:
                check_selector(selector)
        return teams

    def cap(self, tool: str) -> int:
        """Return how many writes an hour this tool may make."""
        return self.tool_writes_per_hour.get(tool, self.writes_per_hour)


@dataclass(frozen=True, slots=True)
class PrincipalRights:
    """The caller's API key's permissions, and the ids of the teams that it works for."""

    permissions: frozenset[str]
    teams: tuple[str, ...] = ()
    #: True for an agent that has read texts of people and machines outside.
    has_read_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """`rule` names the rule that decided, for the audit; `words` explain it to a person, with advice."""

    allowed: bool
    rule: str
    words: str
    needs_approval: bool = False


def judge(tool: Tool, caller: PrincipalRights, rules: ConnectionRules, facts: TokenInfo) -> Judgement:
    """Decide whether the caller may use the tool on a connection with these rules and this token."""
    refusal = (
        _key_forbids(tool, caller) or _switch_forbids(tool, caller, rules) or _pagerduty_forbids(tool, facts)
    )
    if refusal is not None:
        return refusal
    needs_approval = tool.access is Access.WRITE and tool.risk in rules.approve
    for origin, selector in _switches_for(tool, caller, rules, Switch.ALLOW):
        rule, words = f"{origin} {selector}", f"{origin} switches {selector} on"
        if _waits_after_untrusted(tool, caller, rules):
            why = f"{words}; it waits for a person, since the agent has read texts from outside"
            return Judgement(True, f"{UNTRUSTED_RULE} {rule}", why, True)
        return Judgement(True, rule, words, needs_approval)
    if tool.access is Access.READ:
        return Judgement(True, "default", "reads are on by default")
    return Judgement(
        False,
        "default",
        f"writes are off by default: an administrator may switch on tool:{tool.name}, "
        f"category:{tool.category} or risk:{tool.risk} for this connection",
    )


def _waits_after_untrusted(tool: Tool, caller: PrincipalRights, rules: ConnectionRules) -> bool:
    """Source: "taint": who may have taken foreign texts for instructions acts only under a person's eyes."""
    if not caller.has_read_untrusted or tool.access is not Access.WRITE:
        return False
    return tool.risk is Risk.HIGH or not rules.medium_after_untrusted


def selectors_of(tool: Tool) -> tuple[str, str, str]:
    """Return the switches that concern a tool."""
    return f"tool:{tool.name}", f"category:{tool.category}", f"risk:{tool.risk}"


def check_selector(selector: str) -> str:
    """Return the selector. Doesn't check that the catalogue has the tool. Raises InvalidSelector."""
    kind, _, name = selector.partition(":")
    valid_names = {"category": tuple(Category), "risk": tuple(Risk)}
    if kind == "tool" and name.isidentifier():
        return selector
    if name in valid_names.get(kind, ()):
        return selector
    raise InvalidSelector(
        f"a switch is tool:NAME, category:NAME ({', '.join(Category)}) or risk:LEVEL"
        f" ({', '.join(Risk)}), not {selector[:60]!r}"
    )


def enables_writes(before: ConnectionRules, after: ConnectionRules) -> bool:
    """Return True if the new rules may allow a write that the old rules did not.

    Every change that isn't clearly a restriction counts: only administrators of an organisation may make it.
    """
    looser = after.writes_per_hour > before.writes_per_hour or bool(before.approve - after.approve)
    caps = {*before.tool_writes_per_hour, *after.tool_writes_per_hour}
    return (
        looser
        or (after.medium_after_untrusted and not before.medium_after_untrusted)
        or any(after.cap(tool) > before.cap(tool) for tool in caps)
        or after.approval_hours > before.approval_hours
        or _is_loosened(before.switches, after.switches)
        or any(
            _is_loosened(before.teams.get(team, {}), after.teams.get(team, {}))
            for team in {*before.teams, *after.teams}
        )
    )


def _is_loosened(before: Switches, after: Switches) -> bool:
    allowed = {selector for selector, switch in after.items() if switch is Switch.ALLOW}
    was_allowed = {selector for selector, switch in before.items() if switch is Switch.ALLOW}
    denied = {selector for selector, switch in after.items() if switch is Switch.DENY}
    was_denied = {selector for selector, switch in before.items() if switch is Switch.DENY}
    return bool(allowed - was_allowed or was_denied - denied)


def _key_forbids(tool: Tool, caller: PrincipalRights) -> Judgement | None:
    needed = KEY_PERMISSION[tool.access]
    if needed in caller.permissions:
        return None
    return Judgement(False, f"key {needed}", f"this API key lacks the permission {needed}")


def _switch_forbids(tool: Tool, caller: PrincipalRights, rules: ConnectionRules) -> Judgement | None:
    for origin, selector in _switches_for(tool, caller, rules, Switch.DENY):
        return Judgement(False, f"{origin} {selector}", f"{origin} switches {selector} off")
    return None


def _pagerduty_forbids(tool: Tool, facts: TokenInfo) -> Judgement | None:
    if tool.access is Access.WRITE and (facts.read_only or facts.role in READ_ONLY_ROLES):
        return Judgement(False, "pagerduty role", "the connection's PagerDuty token can only read")
    if facts.abilities is not None:
        for ability in tool.abilities:
            if ability not in facts.abilities:
                words = f"the PagerDuty account's plan lacks the ability {ability}"
                return Judgement(False, f"pagerduty ability {ability}", words)
    if facts.scopes is not None:
        for scope in tool.scopes:
            if scope not in facts.scopes:
                words = f"the connection's OAuth token lacks the scope {scope}"
                return Judgement(False, f"pagerduty scope {scope}", words)
    return None


def _switches_for(
    tool: Tool, caller: PrincipalRights, rules: ConnectionRules, position: Switch
) -> Iterator[tuple[str, str]]:
    """Yield (origin, selector) of this tool's switches in this position."""
    origins = [("the connection", rules.switches)]
    origins += [(f"the team {team}", rules.teams[team]) for team in caller.teams if team in rules.teams]
    for origin, switches in origins:
        for selector in selectors_of(tool):
            if switches.get(selector) is position:
                yield origin, selector
