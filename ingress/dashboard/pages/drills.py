"""Escalation drills: where they may be held and why not, holding one, and what each showed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from calmo_pagerduty.access.permissions import CONNECTIONS_WRITE, FINDINGS_READ, TOOLS_WRITE
from calmo_pagerduty.escalation.drill import OPEN_STATES
from calmo_pagerduty.escalation.simulation_report import CHANNEL_WORDS
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import ContactKind
from ingress.api.endpoints import NoInput
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.looks import LOOK_OF_DRILL_STATE, LOOK_OF_PAGE_VERDICT
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.escalation.drill_models import DrillBody, DrillModel, DrillServiceBody

PATH = f"{ROOT}/policies/drills"


class DrillRow(NamedTuple):
    """A drill, with its service's name and what links end with."""

    drill: DrillModel
    service: str
    query: str


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/policies/drills: the services that were named, and all drills."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    named = (await ask.ingress.drills.services(account.request, ask.caller, NoInput())).services
    drills = (await ask.ingress.drills.list(account.request, ask.caller, NoInput())).drills
    known = {item.service for item in named}
    started = ask.request.query_params.get("started")
    others = [(item.id, item.name) for item in account.index.snapshot.services if item.id not in known]
    return account.content(
        {
            "named": named,
            "others": sorted(others, key=lambda pair: pair[1].casefold()),
            "open_drills": {drill.service: drill for drill in drills if drill.state in OPEN_STATES},
            # The workflow writes the row: it may come a moment later than this page.
            "is_starting": bool(started) and all(drill.id != started for drill in drills),
            "ask_service": ask.request.query_params.get("service", ""),
        },
        {"drills": drill_table([_row(account, drill) for drill in drills])},
    )


async def show_drill(ask: Ask) -> Content:
    """GET /dashboard/policies/drills/{drill}, also while it goes on. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    drill = await ask.ingress.drills.show(account.request, ask.caller, NoInput())
    report = drill.report or {}
    moments: Sequence[tuple[str, datetime | None]] = (
        ("Asked for", drill.asked_at),
        ("Opened", drill.opened_at),
        ("Escalated", drill.escalated_at),
        ("Acknowledged", drill.acknowledged_at),
        ("Over", drill.finished_at),
    )
    row = _row(account, drill)
    values: dict[str, Any] = {
        "row": row,
        "refusal": report.get("refusal"),
        "differences": report.get("differences") or (),
        "notes": report.get("notes") or (),
        "moments": [(word, at) for word, at in moments if at is not None],
        "is_open": drill.state in OPEN_STATES,
    }
    return account.content(values, {"pages": page_table(report.get("pages", ()))}, f"Drill: {row.service}")


async def hold(ask: Ask) -> Done:
    """POST /dashboard/policies/drills. Raises ActionRefused, TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    body = DrillBody.model_validate(
        {"service": ask.text("service") or "", "watch_minutes": ask.text("watch_minutes") or 5}
    )
    started = await ask.ingress.drills.start(account.request, ask.caller, body)
    words = "The drill begins. It ends by itself, whatever happens; this list shows how far it is."
    return Done(f"{PATH}?connection={account.connection}&started={started.drill}", words, "note")


async def cancel(ask: Ask) -> Done:
    """POST /dashboard/policies/drills/{drill}/cancel. Raises ActionRefused, TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    drill = await ask.ingress.drills.cancel(account.request, ask.caller, NoInput())
    path = f"{PATH}/{drill.id}{account.query_text}"
    return Done(path, "The drill is being cancelled: its incident is resolved.", "note")


async def name_service(ask: Ask) -> Done:
    """POST /dashboard/policies/drills/services. Raises TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    body = DrillServiceBody.model_validate(
        {"service": ask.text("service") or "", "every_days": ask.text("every_days")}
    )
    named = await ask.ingress.drills.name_service(account.request, ask.caller, body)
    often = f"every {named.every_days} days" if named.every_days else "on demand"
    words = f"Drills may be held on {named.service_name or named.service}: {often}."
    return Done(f"{PATH}{account.query_text}", words)


async def forget_service(ask: Ask) -> Done:
    """POST /dashboard/policies/drills/services/{service}/forget. Raises TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    await ask.ingress.drills.forget_service(account.request, ask.caller, NoInput())
    return Done(f"{PATH}{account.query_text}", "No more drills are held there.")


def _row(account: Account, drill: DrillModel) -> DrillRow:
    return DrillRow(drill, drill.service_name or drill.service, account.query_text)


def drill_table(rows: Sequence[DrillRow]) -> Table[DrillRow]:
    """Return the drills with what differed, or why they were not held."""
    return Table(
        "Drills",
        (
            Column("Service", lambda row: row.service, cell="drill"),
            Column("State", lambda row: LOOK_OF_DRILL_STATE[row.drill.state].word, cell="drill_state"),
            Column("Asked for", lambda row: row.drill.asked_at.isoformat(), cell="drill_asked"),
            Column("Pages seen", _pages_seen),
            Column("What differed", _difference),
        ),
        rows,
        empty="No drill was held yet. A drill proves that pages arrive; a simulation only computes it.",
    )


def page_table(pages: Sequence[JsonObject]) -> Table[JsonObject]:
    """Return each page that was simulated or sent."""

    def channel(page: JsonObject) -> str:
        return "" if page["channel"] is None else CHANNEL_WORDS[ContactKind(page["channel"])]

    return Table(
        "Pages",
        (
            Column("Person", lambda page: page["person"]["name"]),
            Column("Level", lambda page: "" if page["level"] is None else str(page["level"])),
            Column("By", channel),
            Column("Simulated", lambda page: _after(page["expected_after_minutes"])),
            Column("At PagerDuty", lambda page: _after(page["seen_after_minutes"])),
            Column("Verdict", lambda page: LOOK_OF_PAGE_VERDICT[page["verdict"]].word, cell="page_verdict"),
        ),
        pages,
        empty="No page was simulated or seen.",
    )


def _pages_seen(row: DrillRow) -> str:
    report = row.drill.report or {}
    return f"{report['seen_pages']} of {report['expected_pages']}" if "seen_pages" in report else ""


def _difference(row: DrillRow) -> str:
    report = row.drill.report or {}
    if refusal := report.get("refusal"):
        return str(refusal)
    if row.drill.finished_at is None:
        return "known at its end"
    return "; ".join(report.get("differences") or ()) or "nothing"


def _after(minutes: float | None) -> str:
    return "" if minutes is None else f"after {minutes:g} min"


PAGES = (
    Page("/policies/drills", "Escalation drills", FINDINGS_READ, show_list, "drills", tab="Drills"),
    Page("/policies/drills/{drill}", "Escalation drill", FINDINGS_READ, show_drill, "drill"),
)
ACTIONS = (
    Action("/policies/drills", TOOLS_WRITE, hold),
    Action("/policies/drills/services", CONNECTIONS_WRITE, name_service),
    Action("/policies/drills/services/{service}/forget", CONNECTIONS_WRITE, forget_service),
    Action("/policies/drills/{drill}/cancel", TOOLS_WRITE, cancel),
)
