"""The commands `calmo-pagerduty issues …`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calmo_pagerduty.clients.requests import ApiProblem, Json, issue_action
from calmo_pagerduty.incidents.action_names import Action
from ingress.commands.console import new_console
from ingress.commands.instances import client_of
from ingress.commands.issue_view import (
    IssueTable,
    action_view,
    change_line,
    issue_with_timeline,
    replay_view,
)
from ingress.commands.options import ARGUMENTS, ARGUMENTS_STDIN, AS_JSON, DATA_DIR, WAIT
from ingress.commands.output import echo_text, emit, print_json, print_view
from ingress.commands.pairs import parse_pairs
from ingress.commands.tools import read_stdin

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

app = typer.Typer(no_args_is_help=True, help="List, show and act on issues, one per incident.")


#: The JSON types of the actions' arguments that are not texts.
_KINDS: Mapping[str, Mapping[str, str]] = {
    "assignee_ids": {"type": "array"},
    "targets": {"type": "array"},
    "seconds": {"type": "integer"},
    "escalation_level": {"type": "integer"},
}


@app.command("list")
def list_issues(
    status: Annotated[list[str] | None, typer.Option(help="triggered, acknowledged, resolved")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="critical, warning, medium, info")] = None,
    service: Annotated[list[str] | None, typer.Option(help="A service's name or id")] = None,
    incident: Annotated[list[str] | None, typer.Option(help="A PagerDuty incident's id")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="personal:USER or organization:ORG")] = None,
    origin: Annotated[list[str] | None, typer.Option(help="incident, finding")] = None,
    order: Annotated[
        str | None, typer.Option(help="newest (default), or expected_dropped: the most dropped incidents")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="The cursor that the last answer gave for the next page")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List issues, newest incident first."""
    filters = {
        "status": status,
        "severity": severity,
        "service": service,
        "incident": incident,
        "scope": scope,
        "origin": origin,
    }
    params = [(name, value) for name, values in filters.items() for value in values or []]
    params.append(("limit", str(limit)))
    if order:
        params.append(("order", order))
    if cursor:
        params.append(("cursor", cursor))
    page = client_of(data_dir).list_issues(params)
    if as_json:
        print_json(page)
        return
    print_view(IssueTable(page["issues"]))
    if page["next_cursor"]:
        echo_text(f"More: --cursor {page['next_cursor']}")


@app.command()
def show(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show an issue with its timeline."""
    client = client_of(data_dir)
    shown_issues = [client.show_issue(issue_id) for issue_id in _issue_ids(client, issue)]
    if as_json:
        print_json(shown_issues[0] if len(shown_issues) == 1 else shown_issues)
        return
    for shown_issue in shown_issues:
        new_console().print(issue_with_timeline(shown_issue))


@app.command()
def replay(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Play an incident again from its deliveries: each decision of its workflow, and why. Sends nothing."""
    client = client_of(data_dir)
    for issue_id in _issue_ids(client, issue):
        emit(client.get(f"/api/issues/{issue_id}/replay"), as_json, replay_view)


@app.command("post-incident")
def post_incident(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    html: Annotated[bool, typer.Option("--html", help="Print one HTML file, to keep or to print")] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Print an incident's post-incident report as Markdown: what happened, and what says so."""
    client = client_of(data_dir)
    form = "json" if as_json else "html" if html else "markdown"
    for issue_id in _issue_ids(client, issue):
        echo_text(client.text(f"/api/issues/{issue_id}/post-incident", [("format", form)]), nl=as_json)


@app.command("add-to-report")
def add_to_report(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    text: Annotated[str, typer.Argument(help="What to add. It stays when the report is made again")],
    part: Annotated[
        str, typer.Option(help="happened, paged, before, reached, done, calmo, lessons")
    ] = "lessons",
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Add a text to an incident's post-incident report, under your name."""
    client = client_of(data_dir)
    issue_ids = _issue_ids(client, issue)
    if len(issue_ids) > 1:
        raise ApiProblem(f"the incident has several issues, choose an id: {', '.join(issue_ids)}")
    body = {"part": part, "text": text}
    answer = client.send("POST", f"/api/issues/{issue_ids[0]}/post-incident/additions", body)
    emit(answer, as_json, lambda added: f"added to the part {added['part']} by {added['author']}")


@app.command()
def act(
    issue: Annotated[str, typer.Argument(help="An issue's id, or a PagerDuty incident's id")],
    action: Annotated[str, typer.Argument(help=", ".join(Action))],
    arguments: Annotated[list[str] | None, ARGUMENTS] = None,
    from_stdin: Annotated[bool, ARGUMENTS_STDIN] = False,
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: an action with the same key is done only once")
    ] = None,
    wait: Annotated[float, WAIT] = 30.0,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Act on an issue's incident in PagerDuty. Exits with 0 when it is done, with 3 for a ticket."""
    client = client_of(data_dir)
    issue_ids = _issue_ids(client, issue)
    if len(issue_ids) > 1:
        raise ApiProblem(f"the incident has several issues, choose an id: {', '.join(issue_ids)}")
    action_arguments = read_stdin() if from_stdin else {}
    action_arguments |= parse_pairs(arguments or [], _KINDS)
    answer = client.ask(issue_action(issue_ids[0], action, action_arguments, key, wait))
    emit(answer, as_json, action_view)
    raise typer.Exit({"done": 0, "waiting": 3, "running": 3}.get(answer["state"], 1))


@app.command()
def watch(
    after: Annotated[int | None, typer.Option(help="Begin after this change number")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show each change of an issue as it happens, until Ctrl-C."""
    console = new_console()
    for event in client_of(data_dir).changes(after):
        if event is None:
            continue
        if as_json:
            print_json(event.data)
        else:
            console.print(change_line(event.data), soft_wrap=True)


def _issue_ids(client: "ApiClient", text: str) -> list[str]:
    """Return the issue's id, or the ids of all issues of an incident: several connections may have one."""
    if text.startswith("iss_"):
        return [text]
    issues: list[Json] = client.list_issues([("incident", text)])["issues"]
    return [issue["id"] for issue in issues] or [text]
