"""The commands `calmo-pagerduty oncall …`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calmo_pagerduty.clients.requests import ApiProblem
from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, emit
from ingress.commands.query_params import query_params

if TYPE_CHECKING:
    from rich.table import Table

    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="Run the on-call analyses, and show their runs and snapshots.")
ENDED = ("complete", "failed")
STYLES = {"complete": "green", "failed": "bold red", "reading": "cyan", "analysing": "cyan"}


@app.command()
def run(
    connection: Annotated[str | None, CONNECTION] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(help="Analyse the stored snapshot of this time (UTC) instead of a new one"),
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option(help="What the analyses take for the present (UTC). Default: the snapshot's time"),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read everything anew that was read some minutes ago")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the end, and show the progress")] = True,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Take a snapshot of the account and run the on-call analyses. Exits with 1 if the run fails."""
    client = client_of(data_dir)
    path = _path(client, connection)
    body = {**dict(query_params(as_of=as_of, now=now)), "fresh": fresh}
    started = client.send(
        "POST", f"{path}/runs", {name: value for name, value in body.items() if value is not None}
    )
    if not wait:
        emit(started, as_json, lambda answer: f"started: {answer['url']}")
        return
    ended = _follow(client, started["progress_url"], quiet=as_json)
    emit(ended, as_json, run_view)
    raise typer.Exit(0 if ended["state"] == "complete" else 1)


@app.command()
def status(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the runs of the on-call analyses, the newest first."""
    client = client_of(data_dir)
    emit(client.get(f"{_path(client, connection)}/runs"), as_json, run_table)


@app.command()
def snapshots(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the stored snapshots of an account, the newest first, and what they lack."""
    client = client_of(data_dir)
    emit(client.get(f"{_path(client, connection)}/snapshots"), as_json, snapshot_table)


def run_view(run: Json) -> "Table":
    """Return how each analysis of a run ended, as a table."""
    from rich.text import Text  # noqa: PLC0415 - imports rich

    from ingress.commands.tool_view import cell_text, empty_table  # noqa: PLC0415 - imports rich

    table = empty_table("analysis", "findings", "what became of them", "seconds", "result")
    for outcome in run["outcomes"]:
        changes = ", ".join(f"{count} {name}" for name, count in sorted(outcome["changes"].items()))
        problem = Text(outcome["problem"], style="bold red") if outcome["problem"] else None
        table.add_row(
            cell_text(outcome["analysis"]),
            str(outcome["findings"]),
            cell_text(changes or "-"),
            f"{outcome['seconds']:.2f}",
            problem or cell_text(outcome["digest"][:12]),
        )
    table.caption = (
        f"{run['reason']}; snapshot {run['snapshot'] or '-'}, {run['requests']} requests to PagerDuty"
    )
    if run["problem"]:
        table.caption = run["problem"]
    return table


def run_table(answer: Json) -> "Table":
    """Return the runs as a table."""
    from rich.text import Text  # noqa: PLC0415 - imports rich

    from ingress.commands.tool_view import cell_text, empty_table  # noqa: PLC0415 - imports rich

    table = empty_table("begun (UTC)", "state", "why", "lists read", "requests", "analyses", "findings")
    for run in answer["runs"]:
        state = Text(run["state"], style=STYLES[run["state"]])
        failed = sum(bool(outcome["problem"]) for outcome in run["outcomes"])
        done = f"{len(run['outcomes'])} of {len(run['analyses'])}{f', {failed} failed' if failed else ''}"
        table.add_row(
            cell_text(f"{run['begun_at'][:19]}"),
            state,
            cell_text(": ".join(filter(None, (run["reason"], run["problem"])))),
            f"{run['tasks_done']} of {run['tasks']}" if run["tasks"] else "-",
            str(run["requests"]),
            done,
            str(sum(outcome["findings"] for outcome in run["outcomes"])),
        )
    return table


def snapshot_table(answer: Json) -> "Table":
    """Return the snapshots as a table."""
    from ingress.commands.tool_view import cell_text, empty_table  # noqa: PLC0415 - imports rich

    table = empty_table("taken (UTC)", "state", "requests", "holds", "is incomplete")
    for snapshot in answer["snapshots"]:
        sections = snapshot["sections"]
        counts = ", ".join(
            f"{section['count']} {section['name']}" for section in sections if section["count"]
        )
        lacking = "; ".join(
            f"{section['name']} {section['state']}: {section['reason']}"
            for section in sections
            if section["state"] != "complete"
        )
        table.add_row(
            cell_text(snapshot["taken_at"][:19]),
            cell_text(snapshot["state"]),
            str(snapshot["requests"]),
            cell_text(counts.replace("_", " ") or "-"),
            cell_text(lacking.replace("_", " ") or "-"),
        )
    return table


@app.command()
def report(
    connection: Annotated[str | None, CONNECTION] = None,
    page_format: Annotated[
        str, typer.Option("--format", help="markdown, or html: a page of its own, with plots")
    ] = "markdown",
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Print the account's page: open findings, and what each analysis says and rests on."""
    client = client_of(data_dir)
    path = f"{_path(client, connection)}/report"
    if as_json:
        emit(client.get(path), as_json, str)
        return
    echo_text(client.text(path, [("format", page_format)]), nl=False)


def _path(client: "ApiClient", connection: str | None) -> str:
    """Return the path of a connection's runs. Raises ApiProblem unless it is named, or the only one."""
    return f"{connection_path(client, connection)}/oncall"


def _follow(client: "ApiClient", stream: str, quiet: bool) -> Json:
    """Show the progress on standard error until the run ends, and return it. Raises ApiProblem."""
    from rich.progress import (  # noqa: PLC0415 - imports rich
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    from ingress.commands.console import new_console  # noqa: PLC0415 - imports rich

    console = new_console(sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        bar = progress.add_task("waiting for a worker", total=None)
        for event in client.follow(stream):
            run: Json = event.data
            if run["state"] in ENDED:
                return run
            reading = run["state"] == "reading"
            progress.update(
                bar,
                description=f"reading the account, {run['requests']} requests" if reading else "analysing",
                completed=run["tasks_done"] if reading else len(run["outcomes"]),
                total=(run["tasks"] if reading else len(run["analyses"])) or None,
            )
    raise ApiProblem("the stream of progress ended early; see: calmo-pagerduty oncall status")
