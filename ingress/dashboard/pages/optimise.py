"""Optimise a schedule: the best one and two moves, the best roster, what wishes cost; propose a plan."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.figures import pairs_figure
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.scheduling.drafts import TOOL
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.error_pages import explain
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.proposals import Proposal, proposals
from ingress.dashboard.scenario_forms import (
    OPTIMISE_FIELDS,
    ROWS,
    WEIGHT_FIELDS,
    Given,
    filled_rows,
    request_of,
)
from ingress.dashboard.scenario_tables import UNKNOWN, local_text, number
from ingress.dashboard.tables import Column, Table
from ingress.scheduling.models import OptimisationModel, OptimiseBody


class Plan(NamedTuple):
    """A way to share the coming shifts: the present, one or two moves, or the best roster found."""

    name: str
    document: JsonObject
    moves: Sequence[JsonObject]
    proposal: Proposal | None
    #: What is broken: soft constraints with a price, hard ones without.
    broken: Sequence[JsonObject]


async def show(ask: Ask) -> Content:
    """GET /dashboard/schedules/optimise: the form; with `ask=yes` the plans."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    given: Given = ask.request.query_params
    result, problem = None, ""
    if given.get("ask") == "yes":
        try:
            body = OptimiseBody(request=request_of(given, account.zone()), now=ask.now)
            result = await ask.ingress.scenarios.optimise(account.request, ask.caller, body)
        except (ScenarioInvalid, ValidationError) as error:
            problem = explain(error)
    answer, tables = await _answer(account, result)
    return account.content(
        {
            "fields": OPTIMISE_FIELDS,
            "weights": WEIGHT_FIELDS,
            "rows": [(row, [*filled_rows(row, given), {}]) for row in ROWS],
            "given": given,
            "zone": account.zone().key,
            "options": account.options(),
            "problem": problem,
            **answer,
        },
        tables,
    )


async def _answer(
    account: Account, result: OptimisationModel | None
) -> tuple[Mapping[str, Any], Mapping[str, Table[Any]]]:
    if result is None:
        return {"result": None}, {}
    best = result.best
    is_infeasible = best["stop"] == "infeasible"
    named = [
        (str(swap["steps"]), "One move" if swap["steps"] == 1 else "Two moves", swap) for swap in result.swaps
    ]
    if not is_infeasible:
        proved = "proved optimal" if best["stop"] == "optimal" else f"at most {_percent(best['gap'])} off"
        named.append(("best", f"Best roster, {proved}", best))
    drafts = {key: (TOOL, plan["draft"]) for key, _, plan in named if plan["draft"] is not None}
    proposed = await proposals(account.ask, account.connection or "", drafts)
    # As what is broken names shifts: in the schedule's own time.
    zone = time_zone(result.time_zone) or account.zone()
    plans = [_plan(zone, name, plan, proposed.get(key)) for key, name, plan in named]
    present = _plan(zone, "As it is", result.present, None)
    values = {
        "result": result,
        "cards": _cards(plans),
        "explanation": best["explanation"] if is_infeasible else (),
        "figures": [] if is_infeasible else _loads_figures(result),
        "window": [local_text(text, zone) for text in (result.since, result.until)],
    }
    return values, {"plans": plan_table([present, *plans]), "loads": load_table(result)}


def _cards(plans: Sequence[Plan]) -> list[tuple[str, Plan]]:
    """Return the plans that change something; those with the same moves share a card."""
    cards: list[tuple[str, Plan]] = []
    for plan in plans:
        if cards and cards[-1][1].moves == plan.moves:
            name, first = cards[-1]
            cards[-1] = (f"{name} = {plan.name[0].lower()}{plan.name[1:]}", first)
        elif plan.moves:
            cards.append((plan.name, plan))
    return cards


def _plan(zone: ZoneInfo, name: str, plan: JsonObject, proposal: Proposal | None) -> Plan:
    moves = [
        {**move, **{side: local_text(move[side], zone) for side in ("start", "end")}}
        for move in plan["moves"]
    ]
    return Plan(name, plan, moves, proposal, plan["violations"])


def plan_table(plans: Sequence[Plan]) -> Table[Plan]:
    """Return the plans side by side, from the fewest changes to the most."""
    gains: tuple[Column[Plan], ...] = (
        Column("Of the possible gain", lambda plan: _share(plan.document), is_figure=True),
    )
    return Table(
        "Plans",
        (
            Column("Plan", lambda plan: plan.name),
            Column("Unfairness", lambda plan: f"{number(plan.document['unfairness'])} h", is_figure=True),
            *(gains if any(_share(plan.document) for plan in plans) else ()),
            Column(
                "Shifts that change hands", lambda plan: str(plan.document["shifts_changed"]), is_figure=True
            ),
            Column("Broken rules", _broken),
        ),
        plans,
    )


def load_table(result: OptimisationModel) -> Table[JsonObject]:
    """Return each visible person's weighted hours, with history, now and in the best roster."""
    has_best = any("best" in row["load"] for row in result.people) and result.best["stop"] != "infeasible"
    columns: list[Column[JsonObject]] = [
        Column("Person", lambda row: row["name"]),
        Column("Before this time", lambda row: number(row["history"]), is_figure=True),
        Column("Fair share", lambda row: number(row["share"]), is_figure=True),
        Column("As it is", lambda row: number(row["history"] + row["load"]["present"]), is_figure=True),
    ]
    if has_best:
        columns.append(
            Column("Best", lambda row: number(row["history"] + row["load"]["best"]), is_figure=True)
        )
    return Table("Weighted hours", columns, result.people, empty="Your key may not see persons.")


def _loads_figures(result: OptimisationModel) -> list[Figure]:
    rows = [
        PairRow(
            row["name"],
            round(row["history"] + row["load"]["present"], 1),
            round(row["history"] + row["load"]["best"], 1),
            row["share"],
        )
        for row in result.people
    ]
    if not rows:
        return []
    title = "Load with history, as it is and in the best roster"
    return [pairs_figure("optimum", title, "weighted h", rows)]


def _share(plan: JsonObject) -> str:
    # The present has no share: it gains nothing.
    return "" if plan.get("share_of_possible") is None else _percent(plan["share_of_possible"])


def _broken(plan: Plan) -> str:
    prices = [item["price"] for item in plan.broken if item["price"] is not None]
    hard = len(plan.broken) - len(prices)
    words = [f"{len(prices)} for {number(sum(prices))} points"] if prices else []
    words += [f"{hard} that must hold"] if hard else []
    return ", ".join(words) or "none"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.0f} %"


PAGES = (Page("/schedules/optimise", "Share shifts fairly", FINDINGS_READ, show, "optimise", tab="Optimise"),)
