"""Permissions of a connection's tools: switches by tool, category and risk, for everybody or for a team."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from calmo_pagerduty.access import audit_store
from calmo_pagerduty.access.permissions import AUDIT_READ, CONNECTIONS_READ, CONNECTIONS_WRITE
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import (
    ConnectionRules,
    Judgement,
    PrincipalRights,
    Switch,
    judge,
)
from calmo_pagerduty.tools.rule_changes import describe_changes
from ingress.api.endpoints import NoInput
from ingress.connections.models import ConnectionChange, ConnectionModel
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.pages.connections import HERE, SETS_UP
from ingress.dashboard.tables import Column, Table

#: The form's fields are `switch.` and a selector, such as `switch.risk:high`.
PREFIX = "switch."
MAX_CHANGES = 20
#: What an API key with all rights to tools may do: the rules alone decide.
_EVERY_RIGHT = frozenset({"tools:read", "tools:write"})


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """A switch with its position, None for the default, and what the rules decide for the tool."""

    selector: str
    word: str
    position: Switch | None
    tool: Tool | None = None
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class SwitchGroup:
    """The tools of a category under the category's switch."""

    category: SwitchRow
    tools: Sequence[SwitchRow]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Who changed a connection, when (UTC), and what changed of its rules."""

    row: audit_store.AuditRow
    lines: Sequence[str]

    @property
    def who(self) -> str:
        return str(self.row.record.get("requester") or "")

    @property
    def text(self) -> str:
        fields = [
            str(name).replace("_", " ") for name in self.row.record.get("fields") or () if name != "rules"
        ]
        outcome = str(self.row.record.get("outcome") or "")
        return "; ".join([f"{outcome} ({', '.join(fields)})" if fields else outcome, *self.lines])


async def show(ask: Ask) -> Content:
    """GET /dashboard/connections/{id}/permissions, for a team with `?team=`. Raises ResourceNotFound."""
    connection = await ask.ingress.connections.show(ask.request, ask.caller, NoInput())
    rules, team = connection.rules.rules(), ask.request.query_params.get("team") or None
    switches = rules.switches if team is None else rules.teams.get(team, {})
    risks = [SwitchRow(f"risk:{risk}", risk.value, switches.get(f"risk:{risk}")) for risk in Risk]
    tables = {}
    if ask.may(AUDIT_READ):
        tables["changes"] = change_table(await _changes(ask, connection))
    return Content(
        {
            "connection": connection,
            "rules": rules,
            "seen": fingerprint(connection),
            "team": team,
            "teams": sorted(rules.teams),
            "risks": risks,
            "groups": _groups(rules, connection, team),
            "switches": list(Switch),
        },
        tables,
        title=f"Permissions of {connection.name}",
    )


async def change(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/permissions. Raises NotPermitted, InvalidSelector, ValidationError."""
    connection = await ask.ingress.connections.show(ask.request, ask.caller, NoInput())
    team = ask.text("team")
    path = f"{HERE}/{connection.id}/permissions" + (f"?team={team}" if team else "")
    if ask.text("seen") != fingerprint(connection):
        return Done(
            path, "Nothing was changed: somebody else changed the rules meanwhile. Look again.", "failed"
        )
    before = connection.rules.rules()
    rules = _entered_rules(ask, connection, team)
    body = ConnectionChange.model_validate({"rules": rules})
    changed = await ask.ingress.connections.change(ask.request, ask.caller, body)
    lines = describe_changes(before, changed.rules.rules())
    return Done(path, f"Kept: {'; '.join(lines)}." if lines else "Nothing is different from before.")


def fingerprint(connection: ConnectionModel) -> str:
    """Return a hash of a connection's rules, so that a form can't undo what somebody else did meanwhile."""
    # A set has no order of its own.
    values = connection.rules.model_dump(mode="json")
    values["approve"] = sorted(values["approve"])
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


def change_table(changes: Sequence[RuleChange]) -> Table[RuleChange]:
    """Return the table of who changed what."""
    return Table(
        "Who changed what",
        (
            Column("Who", lambda change: change.who),
            Column("What", lambda change: change.text),
            Column("When", lambda change: change.row.at.isoformat(), cell="changed_at"),
        ),
        changes,
        empty="Nothing was changed since the connection was made.",
    )


def _entered_rules(ask: Ask, connection: ConnectionModel, team: str | None) -> Mapping[str, Any]:
    rules = connection.rules.model_dump(mode="json")
    entered = {
        name.removeprefix(PREFIX): value
        for name, value in ask.form.multi_items()
        if name.startswith(PREFIX) and value in tuple(Switch)
    }
    if team is not None:
        teams = {**rules["teams"], team: entered}
        return {**rules, "teams": {name: switches for name, switches in teams.items() if switches}}
    return {
        **rules,
        "switches": entered,
        "approve": [value for value in ask.form.getlist("approve") if isinstance(value, str)],
        "medium_after_untrusted": ask.text("medium_after_untrusted") is not None,
        "approval_hours": ask.text("approval_hours") or rules["approval_hours"],
        "writes_per_hour": ask.text("writes_per_hour") or rules["writes_per_hour"],
    }


def _groups(rules: ConnectionRules, connection: ConnectionModel, team: str | None) -> Sequence[SwitchGroup]:
    switches = rules.switches if team is None else rules.teams.get(team, {})
    caller = PrincipalRights(_EVERY_RIGHT, () if team is None else (team,))
    facts = TokenInfo.model_validate(connection.facts)
    groups = []
    for category in Category:
        tools = sorted(
            (tool for tool in TOOLS.values() if tool.category is category),
            key=lambda tool: (tool.access is Access.WRITE, tool.name),
        )
        rows = [
            SwitchRow(
                f"tool:{tool.name}",
                tool.title,
                switches.get(f"tool:{tool.name}"),
                tool,
                judge(tool, caller, rules, facts),
            )
            for tool in tools
        ]
        name = f"category:{category}"
        groups.append(SwitchGroup(SwitchRow(name, category.replace("-", " "), switches.get(name)), rows))
    return groups


async def _changes(ask: Ask, connection: ConnectionModel) -> Sequence[RuleChange]:
    """Return the newest changes of the connection with what each changed of its rules, newest first."""
    rows = await ask.read(
        lambda t: audit_store.list_connection_changes(
            t, ask.caller.visibility, connection.id, MAX_CHANGES + 1
        )
    )
    changes = []
    for row, earlier in zip_longest(rows, rows[1:]):
        before = None if earlier is None else ConnectionRules.model_validate(earlier.record["rules"])
        lines = describe_changes(before, ConnectionRules.model_validate(row.record["rules"]))
        changes.append(RuleChange(row, lines))
    return changes[:MAX_CHANGES]


PAGES = (
    Page(
        "/connections/{id}/permissions",
        "Permissions",
        CONNECTIONS_READ,
        show,
        "permissions",
        sets_up=SETS_UP,
    ),
)
ACTIONS = (Action("/connections/{id}/permissions", CONNECTIONS_WRITE, change),)
