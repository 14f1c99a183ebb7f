"""What if: a change is asked for by the address, its effects are shown, saved and compared.

A question only reads, so it is a GET: its address can be sent to somebody else.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE, TOOLS_WRITE
from calmo_pagerduty.scheduling.applying import WhatIfRefused
from calmo_pagerduty.scheduling.scenarios import MAX_COMPARED, ScenarioInvalid
from ingress.api.endpoints import NoInput
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.error_pages import explain
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.proposals import proposals, propose
from ingress.dashboard.scenario_forms import FORMS, Given, form_of, scenario_of
from ingress.dashboard.scenario_tables import (
    comparison_figures,
    comparison_table,
    effect_facts,
    effect_tables,
    hours_figures,
    local_text,
)
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.scheduling.models import CompareQuery, ScenarioModel, WhatIfBody, WhatIfModel

PATH = f"{ROOT}/schedules/what-if"
WORDS = {form.type: form.word for form in FORMS}


async def show(ask: Ask) -> Content:
    """GET /dashboard/schedules/what-if: the form of a kind of change; with `ask=yes` its effects."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    given: Given = ask.request.query_params
    form, result, problem = form_of(given.get("kind")), None, ""
    if given.get("ask") == "yes":
        try:
            result = await ask.ingress.scenarios.what_if(account.request, ask.caller, _body(account, given))
        except (ScenarioInvalid, WhatIfRefused, ValidationError) as error:
            # The document's path to the field would only puzzle: the form has one change.
            problem = re.sub(r"changes\.0\.\w+[.:] ?", "", explain(error))
    saved = (await ask.ingress.scenarios.list(account.request, ask.caller, NoInput())).scenarios
    effects, tables = await _effects(account, result)
    return account.content(
        {
            "forms": FORMS,
            "form": form,
            "given": given,
            "zone": account.zone().key,
            "options": account.options(),
            "problem": problem,
            "name": form.word if result is None else _suggested_name(account, form.word, given),
            **effects,
        },
        {**tables, "saved": _saved_table(saved)},
    )


async def show_saved(ask: Ask) -> Content:
    """GET /dashboard/schedules/what-if/saved/{scenario}, computed again. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    request = account.request_with(scenario_id=ask.request.path_params["scenario"])
    try:
        rerun = await ask.ingress.scenarios.show(request, ask.caller, NoInput())
    except (ScenarioInvalid, WhatIfRefused) as error:
        return account.content({"scenario": None, "problem": explain(error)})
    effects, tables = await _effects(account, rerun.result)
    values = {"scenario": rerun.scenario, "is_same": rerun.is_same, "words": WORDS, "problem": "", **effects}
    return account.content(values, tables, rerun.scenario.name)


async def compare(ask: Ask) -> Content:
    """GET /dashboard/schedules/what-if/compare, with `id` once for each scenario. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    ids = ask.request.query_params.getlist("id")
    if not 1 <= len(ids) <= MAX_COMPARED:
        problem = f"Choose one to {MAX_COMPARED} saved scenarios."
        return account.content({"problem": problem, "figures": []}, {"comparison": comparison_table([])})
    query = CompareQuery(id=ids)
    found = (await ask.ingress.scenarios.compare(account.request, ask.caller, query)).scenarios
    return account.content(
        {"problem": "", "figures": comparison_figures(found)}, {"comparison": comparison_table(found)}
    )


async def save(ask: Ask) -> Done:
    """POST /dashboard/schedules/what-if. Raises ScenarioInvalid, WhatIfRefused, TooManyScenarios."""
    account = await find_account(ask, ask.text("connection"))
    body = _body(account, ask.form, ask.text("scenario_name"))
    rerun = await ask.ingress.scenarios.save(account.request, ask.caller, body)
    return Done(
        f"{PATH}/saved/{rerun.scenario.id}{account.query_text}", "Saved. This address shows it again."
    )


async def delete(ask: Ask) -> Done:
    """POST /dashboard/schedules/what-if/saved/{scenario}/delete. Raises ResourceNotFound."""
    account = await find_account(ask, ask.text("connection"))
    request = account.request_with(scenario_id=ask.request.path_params["scenario"])
    deleted = await ask.ingress.scenarios.delete(request, ask.caller, NoInput())
    return Done(f"{PATH}{account.query_text}", f"Deleted: {deleted.name}.")


def _body(account: Account, given: Given, name: str | None = None) -> WhatIfBody:
    """Raises ScenarioInvalid, ResourceNotFound for what is no time."""
    form = form_of(given.get("kind"))
    return WhatIfBody(
        scenario=scenario_of(form, given, account.zone(), name or form.word), now=account.ask.now
    )


def _suggested_name(account: Account, word: str, given: Given) -> str:
    chosen = given.get("user") or given.get("policy") or given.get("schedule") or given.get("day") or ""
    names = dict(pair for kind in account.options().values() for pair in kind)
    return f"{word}: {names.get(chosen, chosen)}"[:120] if chosen else word


async def _effects(
    account: Account, result: WhatIfModel | None
) -> tuple[Mapping[str, Any], dict[str, Table[Any]]]:
    if result is None:
        return {"result": None}, {}
    drafts = {
        str(place): (draft["tool"], draft["arguments"])
        for place, draft in enumerate(result.drafts)
        if "tool" in draft and "apply_at" not in draft
    }
    values = {
        "result": result,
        "facts": effect_facts(result.totals),
        "figures": hours_figures(result),
        "window": [local_text(text, account.zone()) for text in (result.since, result.until)],
        "proposals": list((await proposals(account.ask, account.connection or "", drafts)).values()),
    }
    return values, dict(effect_tables(result))


def _saved_table(saved: Sequence[ScenarioModel]) -> Table[ScenarioModel]:
    def kinds(row: ScenarioModel) -> str:
        changes = [WORDS.get(change["type"], change["type"]) for change in row.scenario["changes"]]
        return ", ".join(dict.fromkeys(changes)) or "nothing"

    return Table(
        "Saved scenarios",
        (
            Column("Scenario", lambda row: row.name, cell="saved_scenario"),
            Column("Changes", kinds),
            Column("By", lambda row: row.created_by, is_wide_only=True),
            Column("Computed for", lambda row: row.now.isoformat(), cell="scenario_asked"),
            Column("Compare", lambda row: "", cell="scenario_choice"),
        ),
        saved,
        empty="None yet. Ask, then keep the answer under a name: it can be computed again, and compared.",
    )


PAGES = (
    Page("/schedules/what-if", "What if", FINDINGS_READ, show, "what_if", tab="What if"),
    Page("/schedules/what-if/compare", "Scenarios compared", FINDINGS_READ, compare, "scenario_comparison"),
    Page("/schedules/what-if/saved/{scenario}", "Scenario", FINDINGS_READ, show_saved, "scenario"),
)
ACTIONS = (
    Action("/schedules/what-if", FINDINGS_WRITE, save),
    Action("/schedules/what-if/saved/{scenario}/delete", FINDINGS_WRITE, delete),
    Action("/schedules/propose", TOOLS_WRITE, propose),
)
