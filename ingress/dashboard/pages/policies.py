"""Escalation policies: who would be paged now; a policy's levels, its answers, and a simulated incident."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.coverage.lanes import percent_text
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import EscalationRule, Policy, TargetKind, Urgency
from ingress.api.errors import ResourceNotFound
from ingress.coverage.endpoints import require_object
from ingress.coverage.models import CoverageQuery, ReadinessQuery
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.local_times import local_moment
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.pages.findings import finding_table
from ingress.dashboard.tables import Column, Table
from ingress.escalation.endpoints import ladder_figure
from ingress.escalation.models import ResponseQuery, SimulationModel, SimulationQuery
from ingress.findings.models import FindingListQuery

COVERAGE_DAYS = 30
UNKNOWN = "unknown"


class LevelRow(NamedTuple):
    """A level of a policy: whom it pages now, and when it moves on."""

    level: int
    who: str
    targets: str
    delay_minutes: int
    covered: str

    @property
    def is_empty(self) -> bool:
        return not self.who


class PolicyRow(NamedTuple):
    """A policy in the list."""

    id: str
    name: str
    query: str
    levels: list[LevelRow]
    covered: str
    gaps: str
    services: int


class PersonRow(NamedTuple):
    """How a person of the policy can be paged."""

    name: str
    state: str
    high: str
    low: str
    advice: str


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/policies"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    query = CoverageQuery(days=COVERAGE_DAYS)
    coverage = await ask.ingress.coverage.coverage(account.request, ask.caller, query)
    covered = {row["id"]: row for row in coverage.policies}
    rows = [
        _policy_row(account, policy, covered.get(policy.id))
        for policy in sorted(account.snapshot.policies, key=lambda policy: policy.name.casefold())
    ]
    return account.content({}, {"policies": policy_table(rows)})


async def show_policy(ask: Ask) -> Content:
    """GET /dashboard/policies/{policy}. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    policy = require_object(account.index.policies, "policy", ask.request.path_params["policy"])
    coverage = await ask.ingress.coverage.coverage(
        account.request, ask.caller, CoverageQuery(days=COVERAGE_DAYS, policy=policy.id)
    )
    row = _policy_row(account, policy, next(iter(coverage.policies), None))
    figures = await _ladder(account, policy.id)
    listed = FindingListQuery.model_validate(
        {"entity": [policy.id], "connection": [account.connection or ""]}
    )
    found = await ask.ingress.findings.list(ask.request, ask.caller, listed)
    people, hidden = await _people(account, policy.id)
    simulated, pages = await _simulation(account)
    services = [service for service in account.snapshot.services if service.policy_id == policy.id]
    return account.content(
        {
            "policy": policy,
            "row": row,
            "figures": figures,
            "hidden_people": hidden,
            "services": services,
            "zone": account.zone().key,
            "simulated": simulated,
        },
        {
            "levels": level_table(row.levels),
            "answers": answer_table(await _answers(account, policy.id)),
            "pages": page_table(pages),
            "people": people_table(people),
            "findings": finding_table(found.findings),
        },
        policy.name,
    )


def _policy_row(account: Account, policy: Policy, covered: JsonObject | None) -> PolicyRow:
    shares = [] if covered is None else covered["levels"]
    levels = [
        LevelRow(
            number,
            _who(account, rule),
            _targets(account, rule),
            rule.delay_minutes,
            _share(shares[number - 1]) if number <= len(shares) else UNKNOWN,
        )
        for number, rule in enumerate(policy.rules, 1)
    ]
    services = sum(service.policy_id == policy.id for service in account.index.snapshot.services)
    gaps = "" if covered is None else str(covered["gap_count"])
    share = UNKNOWN if covered is None else _share(covered)
    return PolicyRow(policy.id, policy.name, account.query_text, levels, share, gaps, services)


def _share(coverage: JsonObject) -> str:
    return UNKNOWN if coverage["percentage"] is None else percent_text(coverage["percentage"])


def _who(account: Account, rule: EscalationRule) -> str:
    """Return who is on call on a level now: empty if nobody is, `unknown` if a schedule is."""
    names: list[str] = []
    for target in rule.targets:
        people = account.index.people_at(target, account.now)
        if people is None:
            return UNKNOWN
        names += [account.name(user_id) for user_id in people if user_id in account.index.users]
    return ", ".join(dict.fromkeys(names))


def _targets(account: Account, rule: EscalationRule) -> str:
    schedules = account.index.schedules
    return ", ".join(
        account.name(target.id)
        if target.kind is TargetKind.USER
        else schedules[target.id].name
        if target.id in schedules
        else target.id
        for target in rule.targets
    )


async def _ladder(account: Account, policy_id: str) -> Sequence[Figure]:
    """Return the plot of unanswered pages; none as long as no incident of the policy was answered."""
    try:
        return [await asyncio.to_thread(ladder_figure, account.index.snapshot, account.now, policy_id)]
    except ResourceNotFound:
        return ()


async def _answers(account: Account, policy_id: str) -> list[JsonObject]:
    query = ResponseQuery(policy=policy_id)
    response = await account.ask.ingress.escalation.response(account.request, account.ask.caller, query)
    return [level for row in response.metrics["policies"] for level in row["levels"]]


async def _people(account: Account, policy_id: str) -> tuple[list[PersonRow], int]:
    answer = await account.ask.ingress.coverage.readiness(
        account.request, account.ask.caller, ReadinessQuery(days=COVERAGE_DAYS)
    )
    rows = [
        PersonRow(
            person["name"],
            person["state"].replace("_", " "),
            _channels(person, Urgency.HIGH),
            _channels(person, Urgency.LOW),
            person["advice"],
        )
        for person in answer.people
        if any(duty["policy"]["id"] == policy_id for duty in person["duties"])
    ]
    return rows, answer.hidden_people


def _channels(person: JsonObject, urgency: Urgency) -> str:
    """Return by what a person is paged at an urgency, soonest first: `sms at once, phone after 5 min`."""
    ready = [
        cell for cell in person["cells"] if cell["urgency"] == urgency.value and cell["state"] == "ready"
    ]
    soonest = sorted(ready, key=lambda cell: (cell["first_minutes"] or 0, cell["channel"]))
    return ", ".join(map(_channel, soonest)) or "none"


def _channel(cell: JsonObject) -> str:
    return f"{cell['channel'].replace('_', ' ')} {_after(cell['first_minutes'])}"


def _after(minutes: float | None) -> str:
    return f"after {minutes:g} min" if minutes else "at once"


async def _simulation(account: Account) -> tuple[SimulationModel | None, list[JsonObject]]:
    """Simulate the incident that the form asks for. Raises ResourceNotFound, ValidationError."""
    given = account.ask.request.query_params
    if not given.get("service"):
        return None, []
    at: datetime | None = local_moment(given.get("at"), account.zone())
    query = SimulationQuery(
        service=given["service"], at=at, urgency=Urgency(given["urgency"]) if given.get("urgency") else None
    )
    answer = await account.ask.ingress.escalation.simulation(account.request, account.ask.caller, query)
    return answer, answer.pages


def policy_table(rows: list[PolicyRow]) -> Table[PolicyRow]:
    """Return the table of policies."""
    return Table(
        "Escalation policies",
        (
            Column("Policy", lambda row: row.name, cell="policy"),
            Column("Paged now", _paged_now, cell="policy_levels"),
            Column("Covered", lambda row: row.covered, is_figure=True),
            Column("Gaps", lambda row: row.gaps, is_figure=True),
            Column("Services", lambda row: str(row.services), is_figure=True),
        ),
        rows,
        empty="The account has no escalation policy. Create one at PagerDuty, then analyse again.",
    )


def _paged_now(row: PolicyRow) -> str:
    return "; ".join(f"{level.level}: {level.who or 'nobody'}" for level in row.levels)


def level_table(levels: list[LevelRow]) -> Table[LevelRow]:
    """Return the table of a policy's levels."""
    return Table(
        "Levels",
        (
            Column("Level", lambda row: str(row.level)),
            Column("Paged now", lambda row: row.who or "nobody", cell="level_who"),
            Column("Targets", lambda row: row.targets),
            Column("Moves on after", lambda row: f"{row.delay_minutes} min", is_figure=True),
            Column("Covered", lambda row: row.covered, is_figure=True),
        ),
        levels,
        empty="The policy has no level, so it pages nobody.",
    )


def answer_table(levels: list[JsonObject]) -> Table[JsonObject]:
    """Return how pages were answered on each level, and what delay the answers advise."""
    return Table(
        "Answers and advice on delays",
        (
            Column("Level", lambda row: str(row["level"])),
            Column("Pages", lambda row: str(row["assignments"]), is_figure=True),
            Column("Acknowledged", lambda row: str(row["acknowledged"]), is_figure=True),
            Column("Median", lambda row: _minutes(row["median_minutes"]), is_figure=True),
            Column("Unanswered when it moves on", _unanswered, is_figure=True),
            Column("Advice", lambda row: _advice(row["advice"])),
        ),
        levels,
        empty="No incident of this policy was answered in the snapshot's past, so there is no curve.",
    )


def _minutes(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}".removesuffix(".0") + " min"


def _unanswered(row: JsonObject) -> str:
    share = row["unanswered_at_delay"]
    if share is None:
        return UNKNOWN
    interval = row["interval"]
    between = "" if interval is None else f" ({100 * interval[0]:.0f} to {100 * interval[1]:.0f} %)"
    whose = "" if row["borrowed_from"] is None else f", by {row['borrowed_from']}"
    return f"{100 * share:.0f} %{between}{whose}"


def _advice(advice: JsonObject) -> str:
    if advice["delay_minutes"] is None:
        return str(advice["reason"])
    return f"{advice['delay_minutes']} min instead of {advice['current_minutes']}"


def page_table(pages: list[JsonObject]) -> Table[JsonObject]:
    """Return the pages of a simulated incident, minute by minute."""
    return Table(
        "Pages of the simulated incident",
        (
            Column("After", lambda row: f"{row['after_minutes']:g} min", is_figure=True),
            Column("Level", lambda row: str(row["level"])),
            Column("Person", lambda row: row["person"]["name"]),
            Column("By", lambda row: row["channel_words"]),
            Column("Their time", lambda row: row["person"]["local_time"] or ""),
        ),
        pages,
        empty="Nobody would be paged.",
    )


def people_table(people: list[PersonRow]) -> Table[PersonRow]:
    """Return the readiness of a policy's people."""
    return Table(
        "Readiness",
        (
            Column("Person", lambda row: row.name),
            Column("State", lambda row: row.state),
            Column("High urgency", lambda row: row.high),
            Column("Low urgency", lambda row: row.low),
            Column("Advice", lambda row: row.advice, is_wide_only=True),
        ),
        people,
        empty="Nobody whom you may see is on call by this policy in the coming 30 days.",
    )


PAGES = (
    Page(
        "/policies",
        "Escalation policies",
        FINDINGS_READ,
        show_list,
        "policies",
        menu="Policies",
        key="p",
        tab="Policies",
    ),
    Page("/policies/{policy}", "Escalation policy", FINDINGS_READ, show_policy, "policy"),
)
