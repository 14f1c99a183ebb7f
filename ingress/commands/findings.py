"""The commands `calmo-pagerduty findings …`."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.finding_view import finding_table, finding_view
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, emit

app = typer.Typer(
    no_args_is_help=True, help="What the on-call analyses found wrong: list, show, accept, dismiss."
)
NUMBER = typer.Argument(help="The finding's number, as in the list", min=1)
#: What a list shows if no state is named: what still waits for somebody, or for being mended.
OPEN_STATES = ("new", "returned", "accepted")


@app.command("list")
def list_findings(
    state: Annotated[
        list[str] | None,
        typer.Option(help="new, returned, accepted, dismissed, resolved. Default: the first three"),
    ] = None,
    severity: Annotated[list[str] | None, typer.Option(help="critical, high, medium, low, info")] = None,
    code: Annotated[list[str] | None, typer.Option(help="What kind of finding, as in `show`")] = None,
    analysis: Annotated[list[str] | None, typer.Option(help="Which analysis found it")] = None,
    connection: Annotated[list[str] | None, typer.Option(help="A connection's id")] = None,
    entity: Annotated[
        list[str] | None, typer.Option(help="PagerDuty's id of a service, policy, schedule, team or user")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="The cursor that the last answer gave for the next page")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List findings, the worst first: by severity, then by expected dropped incidents."""
    filters = {
        "state": state or OPEN_STATES,
        "severity": severity,
        "code": code,
        "analysis": analysis,
        "connection": connection,
        "entity": entity,
    }
    params = [(name, value) for name, values in filters.items() for value in values or ()]
    params.append(("limit", str(limit)))
    if cursor:
        params.append(("cursor", cursor))
    emit(client_of(data_dir).get("/api/findings", params), as_json, finding_table)


@app.command()
def show(
    number: Annotated[int, NUMBER],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show a finding: evidence, advice, how to verify and undo it, and its history."""
    emit(client_of(data_dir).get(f"/api/findings/{number}"), as_json, finding_view)


@app.command()
def accept(
    number: Annotated[int, NUMBER],
    reason: Annotated[str | None, typer.Option(help="Who does what, if that helps")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Accept a finding: somebody takes care of it. It resolves by itself when it is mended."""
    _decide(number, "accept", {} if reason is None else {"reason": reason}, as_json, data_dir)


@app.command()
def dismiss(
    number: Annotated[int, NUMBER],
    reason: Annotated[str, typer.Option(help="Why it needs no care")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Dismiss a finding, with a reason. It stays dismissed unless it gets worse."""
    _decide(number, "dismiss", {"reason": reason}, as_json, data_dir)


@app.command()
def undo(
    number: Annotated[int, NUMBER],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Undo the decision on a finding."""
    _decide(number, "undo", {}, as_json, data_dir)


@app.command()
def digest(
    connection: Annotated[str | None, CONNECTION] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="What the digest would say now, instead of the newest kept")
    ] = False,
    make: Annotated[bool, typer.Option("--make", help="Make a digest now and keep it")] = False,
    page_format: Annotated[str, typer.Option("--format", help="markdown, html")] = "markdown",
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show the weekly digest: what is new, what got worse, which gaps lie ahead, what was mended."""
    client = client_of(data_dir)
    path = f"{connection_path(client, connection)}/digest"
    if make:
        run = client.send("POST", path, {})
        emit(run, as_json, lambda started: f"a digest is being made: {started['workflow_id']}")
        return
    params = [("preview", "true")] if preview else []
    if as_json:
        emit(client.get(path, params), as_json, str)
        return
    echo_text(client.text(path, [*params, ("format", page_format)]), nl=False)


def _decide(number: int, decision: str, body: dict[str, Any], as_json: bool, data_dir: Path | None) -> None:
    path = f"/api/findings/{number}/{quote(decision, safe='')}"
    emit(client_of(data_dir).send("POST", path, body), as_json, finding_view)
