"""calmo-pagerduty issues …"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calmo_pagerduty.api_client import ApiClient, Json
from ingress.commands.instances import api_address
from ingress.commands.issue_view import change_line, issue_table, issue_with_timeline
from ingress.commands.options import DATA_DIR

app = typer.Typer(no_args_is_help=True, help="Issues: one for each PagerDuty incident.")

AS_JSON = typer.Option("--json", help="Answer in JSON.")


def _client(data_dir: Path | None) -> ApiClient:
    return ApiClient(*api_address(data_dir))


@app.command("list")
def list_issues(
    status: Annotated[list[str] | None, typer.Option(help="triggered, acknowledged, resolved")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="critical, warning, medium, info")] = None,
    service: Annotated[list[str] | None, typer.Option(help="A service's name or id")] = None,
    incident: Annotated[list[str] | None, typer.Option(help="A PagerDuty incident's id")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="personal:USER or organization:ORG")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last answer gave it")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List issues, newest incident first."""
    filters = {
        "status": status, "severity": severity, "service": service, "incident": incident, "scope": scope,
    }  # fmt: skip
    params = [(name, value) for name, values in filters.items() for value in values or []]
    params.append(("limit", str(limit)))
    if cursor:
        params.append(("cursor", cursor))
    page = _client(data_dir).list_issues(params)
    if as_json:
        typer.echo(json.dumps(page))
        return
    console = Console()
    console.print(issue_table(page["issues"]))
    if page["next_cursor"]:
        console.print(f"More: --cursor {page['next_cursor']}", soft_wrap=True)


@app.command()
def show(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show one issue with its timeline."""
    client = _client(data_dir)
    found = [client.show_issue(one) for one in _issue_ids(client, issue)]
    if as_json:
        typer.echo(json.dumps(found[0] if len(found) == 1 else found))
        return
    for one in found:
        Console().print(issue_with_timeline(one))


@app.command()
def watch(
    after: Annotated[int | None, typer.Option(help="Begin after this change number")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show each change as it happens, until Ctrl-C."""
    console = Console()
    for event in _client(data_dir).changes(after):
        if event is None:
            continue
        if as_json:
            typer.echo(json.dumps(event.data))
        else:
            console.print(change_line(event.data), soft_wrap=True)


def _issue_ids(client: ApiClient, text: str) -> list[str]:
    """An incident may be an issue in several connections: then all of them are shown."""
    if text.startswith("iss_"):
        return [text]
    issues: list[Json] = client.list_issues([("incident", text)])["issues"]
    return [issue["id"] for issue in issues] or [text]
