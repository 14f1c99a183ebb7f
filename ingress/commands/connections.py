"""calmo-pagerduty connection …"""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.pagerduty.token_kinds import TokenKind
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit
from ingress.commands.tool_view import connection_report_view, connection_table, result_view

app = typer.Typer(no_args_is_help=True, help="PagerDuty accounts: their tokens and what they allow.")

Json = dict[str, Any]
CONNECTION = typer.Argument(help="The connection's id")
TOKEN_STDIN = typer.Option("--token-stdin", help="Read PagerDuty's token from standard input.")
TOKEN_KIND = typer.Option("--token-kind", help="api_token (a REST API key) or oauth (a bearer token)")


class NoToken(ExplainedError):
    """No token came in on standard input."""


def _path(connection: str, *more: str) -> str:
    return "/".join(["/api/connections", quote(connection, safe=""), *more])


def _read_token() -> str:
    token = sys.stdin.readline().strip()
    if not token:
        raise NoToken(
            "no token on standard input: printf %s TOKEN | calmo-pagerduty connection … --token-stdin"
        )
    return token


@app.command()
def add(
    name: Annotated[str, typer.Option(help="What people call it")],
    scope: Annotated[str, typer.Option(help="personal:USER or organization:ORG")],
    region: Annotated[str, typer.Option(help="us or eu")] = "us",
    token_stdin: Annotated[bool, TOKEN_STDIN] = False,
    token_kind: Annotated[TokenKind, TOKEN_KIND] = TokenKind.API_TOKEN,
    from_address: Annotated[
        str | None, typer.Option("--from", help="A PagerDuty user's address, in whose name writes are made")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Connect a PagerDuty account: reads are on, writes are off."""
    body: Json = {"name": name, "scope": scope, "region": region, "token_kind": token_kind}
    if from_address:
        body["from_address"] = from_address
    if token_stdin:
        body["token"] = _read_token()
    _print_connection(client_of(data_dir).send("POST", "/api/connections", body), as_json)


@app.command("list")
def list_connections(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the connections."""
    answer = client_of(data_dir).get("/api/connections")
    emit(answer, as_json, lambda answer: connection_table(answer["connections"]))


@app.command()
def show(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show one connection: what it allows, and how much of PagerDuty's limits is used."""
    _print_connection(client_of(data_dir).get(_path(connection)), as_json)


@app.command("test")
def try_out(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Find out, by reading only, what the connection's token can do. Ends with 1 if it is no good."""
    found = client_of(data_dir).send("POST", _path(connection, "test"), {})
    emit(found, as_json, connection_report_view)
    raise typer.Exit(0 if found["ok"] else 1)


@app.command()
def rotate(
    connection: Annotated[str, CONNECTION],
    token_stdin: Annotated[bool, TOKEN_STDIN] = True,
    token_kind: Annotated[TokenKind, TOKEN_KIND] = TokenKind.API_TOKEN,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replace the token by the one on standard input. Calls under way go on with the old one."""
    if not token_stdin:
        raise NoToken("a token is read from standard input only, where no other user of the machine sees it")
    body = {"token": _read_token(), "token_kind": token_kind}
    _print_connection(client_of(data_dir).send("POST", _path(connection, "token"), body), as_json)


@app.command()
def remove(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Remove a connection and forget its token. Its issues and its audit stay."""
    _print_connection(client_of(data_dir).send("DELETE", _path(connection)), as_json)


@app.command()
def permit(
    connection: Annotated[str, CONNECTION],
    allow: Annotated[list[str] | None, typer.Option(help="tool:NAME, category:NAME or risk:LEVEL")] = None,
    deny: Annotated[list[str] | None, typer.Option(help="The same; what is denied wins")] = None,
    clear: Annotated[list[str] | None, typer.Option(help="Take a switch away")] = None,
    team: Annotated[str | None, typer.Option(help="Only for keys of this team (PagerDuty's id)")] = None,
    approve: Annotated[
        str | None, typer.Option(help="Risks that need a person's approval, by comma; none for none")
    ] = None,
    writes_per_hour: Annotated[int | None, typer.Option(min=0, help="Cap for each tool")] = None,
    context_note: Annotated[
        bool | None, typer.Option(help="Write each incident's context back as a note; allow the tool too")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Say what a connection allows."""
    client = client_of(data_dir)
    rules = client.get(_path(connection))["rules"]
    switches = rules["teams"].setdefault(team, {}) if team else rules["switches"]
    switches.update(dict.fromkeys(allow or [], "allow") | dict.fromkeys(deny or [], "deny"))
    for selector in clear or []:
        switches.pop(selector, None)
    if approve is not None:
        rules["approve"] = [] if approve == "none" else [risk.strip() for risk in approve.split(",")]
    if writes_per_hour is not None:
        rules["writes_per_hour"] = writes_per_hour
    change: Json = {"rules": rules}
    if context_note is not None:
        change["context_note"] = context_note
    _print_connection(client.send("PATCH", _path(connection), change), as_json)


@app.command()
def targets(
    connection: Annotated[str, CONNECTION],
    severity: Annotated[
        list[str] | None, typer.Option(help="critical, warning, medium or info; all of them if none is named")
    ] = None,
    acknowledge: Annotated[float | None, typer.Option(min=0, help="Minutes; 0 for no target")] = None,
    resolve: Annotated[float | None, typer.Option(min=0, help="Minutes; 0 for no target")] = None,
    escalate: Annotated[
        bool | None, typer.Option(help="Escalate an open incident that misses a target")
    ] = None,
    level: Annotated[int | None, typer.Option(min=1, max=20, help="To which level it is escalated")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take all targets away")] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Say how soon incidents are to be acknowledged and resolved."""
    client = client_of(data_dir)
    if clear:
        _print_connection(client.send("PATCH", _path(connection), {"response_targets": None}), as_json)
        return
    known: Json = client.get(_path(connection))["response_targets"] or {}
    by_severity = known.setdefault("by_severity", {})
    minutes = {"acknowledge_minutes": acknowledge, "resolve_minutes": resolve}
    for chosen in severity or [*Severity]:
        own = by_severity.setdefault(chosen, {})
        own.update({name: value or None for name, value in minutes.items() if value is not None})
    further = {"escalates_on_miss": escalate, "escalation_level": level}
    known.update({name: value for name, value in further.items() if value is not None})
    _print_connection(client.send("PATCH", _path(connection), {"response_targets": known}), as_json)


def _print_connection(connection: Json, as_json: bool) -> None:
    emit(connection, as_json, lambda connection: result_view(connection, []))
