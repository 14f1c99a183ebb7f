"""The commands `calmo-pagerduty reconcile` and `calmo-pagerduty doctor`."""

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.clients.requests import ApiProblem
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit, tell
from ingress.commands.query_params import query_params
from ingress.commands.tool_view import cell_text, empty_table

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]
POLL_SECONDS = 1.0
LEVEL_STYLE = {"alarm": "bold red", "warning": "yellow", "note": "cyan"}
#: The labels of a report's figures.
REPORT_ROWS = (
    ("requests", "requests to PagerDuty"),
    ("entries", "log entries read"),
    ("incidents", "incidents compared"),
    ("differed", "differed from PagerDuty"),
    ("healed", "corrected"),
    ("opened", "opened here"),
    ("added", "entries added to timelines"),
    ("failed", "could not be corrected"),
)


def reconcile(
    connection: Annotated[str, typer.Argument(help="The connection's id")],
    since: Annotated[
        datetime | None, typer.Option(help="Compare from this time (UTC) on. Default: the last run's end")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Compare issues with PagerDuty and correct them. Exits with 1 if a difference remains."""
    client = client_of(data_dir)
    path = f"/api/connections/{quote(connection, safe='')}"
    body = dict(query_params(since=since))
    answer = client.send("POST", f"{path}/reconcile", body)
    if not answer["started"]:
        raise ApiProblem(answer["problem"])
    run = _wait(client, path, answer["after"], sys.stderr.isatty() and not as_json)
    emit(run, as_json, report_view)
    report = run["report"]
    raise typer.Exit(1 if report.get("failed") or report.get("problem") else 0)


def doctor(
    connection: Annotated[str | None, typer.Option(help="Only this connection's webhooks")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Examine webhooks here and at PagerDuty, and list advice. Exits with 1 if events get lost."""
    client = client_of(data_dir)
    examinations = client.send(
        "POST", "/api/doctor", {} if connection is None else {"connection": connection}
    )
    emit(examinations, as_json, findings_view)
    raise typer.Exit(0 if examinations["ok"] else 1)


def report_view(run: Json) -> Table:
    """Return the report of a reconciliation as a table."""
    table = empty_table("", "")
    report = run["report"]
    table.add_row("why", cell_text(run["reason"]))
    table.add_row("from", cell_text(f"{run['since'][:19]}Z to {run['until'][:19]}Z"))
    for name, label in REPORT_ROWS:
        table.add_row(label, cell_text(str(report.get(name, 0))))
    drift = ", ".join(f"{name} {count}" for name, count in sorted(report.get("drift", {}).items()))
    table.add_row("what differed", cell_text(drift or "nothing"))
    if report.get("problem"):
        table.add_row("problem", Text(str(report["problem"]), style="bold red"))
    return table


def findings_view(examinations: Json) -> Table:
    """Return a table of the findings, grouped by webhook."""
    table = empty_table("webhook", "connection", "level", "what", "what to do")
    for webhook in examinations["webhooks"]:
        name = f"{webhook['webhook']} {webhook['name']}".strip()
        if not webhook["findings"]:
            state = "nothing is wrong" if webhook["examined_at"] else "not examined yet"
            table.add_row(cell_text(name), webhook["connection"], Text("-"), cell_text(state), cell_text(""))
        for finding in webhook["findings"]:
            level = Text(finding["level"], style=LEVEL_STYLE[finding["level"]])
            table.add_row(
                cell_text(name),
                webhook["connection"],
                level,
                cell_text(finding["words"]),
                cell_text(finding["advice"]),
            )
    return table


def _wait(client: "ApiClient", path: str, after: int, shows_progress: bool) -> Json:
    """Wait until the run has finished and return it. If `shows_progress`, tell how far it is."""
    while True:
        runs = [run for run in client.get(f"{path}/reconciliations")["runs"] if run["id"] > after]
        run: Json | None = runs[-1] if runs else None
        if run is not None and run["finished_at"]:
            return run
        if shows_progress and run is not None and run["report"]:
            done = run["report"]
            tell(f"{done['incidents']} incidents compared, {done['healed']} corrected …", over=True)
        time.sleep(POLL_SECONDS)
