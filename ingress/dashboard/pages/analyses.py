"""Analyses of an account: starting one, how far it is, and how those before ended."""

from datetime import UTC, datetime

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from ingress.api.endpoints import NoInput
from ingress.dashboard.accounts import find_account, find_running
from ingress.dashboard.looks import LOOK_OF_RUN_STATE
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.oncall.models import OnCallRunModel, RunBody


async def show(ask: Ask) -> Content:
    """GET /dashboard/analyses: the newest run with its progress, and those before."""
    account = await find_account(ask)
    if account.connection is None:
        return account.content({"running": None}, {"runs": run_table([])})
    runs = (await ask.ingress.oncall.runs(account.request, ask.caller, NoInput())).runs
    taken_at = account.snapshot and datetime.fromtimestamp(account.snapshot.taken_at, UTC)
    return account.content({"running": find_running(runs), "taken_at": taken_at}, {"runs": run_table(runs)})


async def start(ask: Ask) -> Done:
    """POST /dashboard/analyses. Raises ResourceNotFound, TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    await ask.ingress.oncall.start(account.request, ask.caller, RunBody())
    path = f"{ROOT}/analyses?connection={account.connection}"
    return Done(path, "The analysis runs. This page shows how far it is.", "note")


def run_table(runs: list[OnCallRunModel]) -> Table[OnCallRunModel]:
    """Return the table of runs."""
    return Table(
        "Analyses",
        (
            Column("State", lambda run: LOOK_OF_RUN_STATE[run.state].word, cell="run_state"),
            Column("Began", lambda run: run.begun_at.isoformat(), cell="run_began"),
            Column("Took", _took),
            Column("Findings", lambda run: str(sum(item.findings for item in run.outcomes)), is_figure=True),
            Column("Requests", lambda run: str(run.requests), is_figure=True, is_wide_only=True),
            Column("Why", lambda run: run.problem or run.reason, is_wide_only=True),
        ),
        runs,
        empty="No analysis was started yet. The first reads the whole account: some minutes.",
    )


def _took(run: OnCallRunModel) -> str:
    if run.finished_at is None:
        return ""
    return f"{(run.finished_at - run.begun_at).total_seconds():.0f} s"


PAGES = (Page("/analyses", "Analyses", FINDINGS_READ, show, "analyses"),)
ACTIONS = (Action("/analyses", FINDINGS_WRITE, start),)
