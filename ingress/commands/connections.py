"""The commands `calmo-pagerduty connection …`."""

import copy
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.nearest_name import nearest_hint
from calmo_pagerduty.pagerduty.token_kinds import TokenKind
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit
from ingress.commands.tool_view import changes_view, connection_report_view, connection_table, result_view

app = typer.Typer(
    no_args_is_help=True, help="Manage connections: PagerDuty accounts with their tokens and rules."
)

Json = dict[str, Any]
CONNECTION = typer.Argument(help="The connection's id")
TOKEN_STDIN = typer.Option("--token-stdin", help="Read PagerDuty's token from standard input.")
TOKEN_KIND = typer.Option("--token-kind", help="api_token (a REST API key) or oauth (a bearer token)")
UNTESTED = typer.Option("--untested", help="Keep the token without asking PagerDuty whether it works")


class NoToken(ExplainedError):
    """Standard input holds no token."""


class NoSuchSwitch(ExplainedError):
    """The connection has no such switch."""


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
    name: Annotated[str, typer.Option(help="A name for people")],
    scope: Annotated[str, typer.Option(help="personal:USER or organization:ORG")],
    region: Annotated[str, typer.Option(help="us or eu")] = "us",
    token_stdin: Annotated[bool, TOKEN_STDIN] = False,
    token_kind: Annotated[TokenKind, TOKEN_KIND] = TokenKind.API_TOKEN,
    untested: Annotated[bool, UNTESTED] = False,
    from_address: Annotated[
        str | None,
        typer.Option("--from", help="The e-mail address of the PagerDuty user who makes the writes"),
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Connect a PagerDuty account, if its token works. Reads are allowed, writes are not."""
    body: Json = {"name": name, "scope": scope, "region": region, "token_kind": token_kind}
    body["untested"] = untested
    if from_address:
        body["from_address"] = from_address
    if token_stdin:
        body["token"] = _read_token()
    _print_connection(client_of(data_dir).send("POST", "/api/connections", body), as_json)


@app.command("list")
def list_connections(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the connections that the key sees."""
    answer = client_of(data_dir).get("/api/connections")
    emit(answer, as_json, lambda answer: connection_table(answer["connections"]))


@app.command()
def show(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show a connection with its rules and its use of PagerDuty's rate limit."""
    _print_connection(client_of(data_dir).get(_path(connection)), as_json)


@app.command("test")
def try_out(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Test with reads only what the connection's token can do. Exits with 1 if it does not work."""
    report = client_of(data_dir).send("POST", _path(connection, "test"), {})
    emit(report, as_json, connection_report_view)
    raise typer.Exit(0 if report["ok"] else 1)


@app.command()
def rotate(
    connection: Annotated[str, CONNECTION],
    token_stdin: Annotated[bool, TOKEN_STDIN] = True,
    token_kind: Annotated[TokenKind, TOKEN_KIND] = TokenKind.API_TOKEN,
    untested: Annotated[bool, UNTESTED] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replace the token by that on standard input, if it works. Calls that run still use the old token."""
    if not token_stdin:
        raise NoToken(
            "the token is read only from standard input, where no other user of the machine can see it"
        )
    body = {"token": _read_token(), "token_kind": token_kind, "untested": untested}
    _print_connection(client_of(data_dir).send("POST", _path(connection, "token"), body), as_json)


@app.command()
def remove(
    connection: Annotated[str, CONNECTION],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Remove a connection and delete its token. Its issues and audit rows stay."""
    removed = client_of(data_dir).send("DELETE", _path(connection))
    emit(removed, as_json, lambda it: f"{it['name']} ({it['id']}) is removed, and its token deleted")


@app.command()
def permit(
    connection: Annotated[str, CONNECTION],
    allow: Annotated[list[str] | None, typer.Option(help="tool:NAME, category:NAME or risk:LEVEL")] = None,
    deny: Annotated[list[str] | None, typer.Option(help="Like --allow; a denial takes precedence")] = None,
    clear: Annotated[list[str] | None, typer.Option(help="Remove a switch")] = None,
    team: Annotated[str | None, typer.Option(help="Only for keys of this team (PagerDuty's id)")] = None,
    approve: Annotated[
        str | None, typer.Option(help="Risks that need a person's approval, separated by commas; or none")
    ] = None,
    medium_after_untrusted: Annotated[
        bool | None,
        typer.Option(
            help="Agents that have read texts from outside write at medium risk without an approval"
        ),
    ] = None,
    writes_per_hour: Annotated[int | None, typer.Option(min=0, help="Limit for each tool")] = None,
    context_note: Annotated[
        bool | None,
        typer.Option(help="Write each incident's context back as a note; the tool must be allowed too"),
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Change what a connection allows and what needs approval."""
    client = client_of(data_dir)
    before = client.get(_path(connection))
    rules = copy.deepcopy(before["rules"])
    switches = rules["teams"].setdefault(team, {}) if team else rules["switches"]
    switches.update(dict.fromkeys(allow or [], "allow") | dict.fromkeys(deny or [], "deny"))
    for selector in clear or []:
        if switches.pop(selector, None) is None:
            raise NoSuchSwitch(f"there is no switch {selector!r} to clear{nearest_hint(selector, switches)}")
    if approve is not None:
        rules["approve"] = [] if approve == "none" else [risk.strip() for risk in approve.split(",")]
    if medium_after_untrusted is not None:
        rules["medium_after_untrusted"] = medium_after_untrusted
    if writes_per_hour is not None:
        rules["writes_per_hour"] = writes_per_hour
    change: Json = {"rules": rules}
    if context_note is not None:
        change["context_note"] = context_note
    after = client.send("PATCH", _path(connection), change)
    emit(after, as_json, lambda after: changes_view(before, after))


@app.command()
def targets(
    connection: Annotated[str, CONNECTION],
    severity: Annotated[
        list[str] | None, typer.Option(help="critical, warning, medium or info. Default: all of them")
    ] = None,
    acknowledge: Annotated[float | None, typer.Option(min=0, help="Minutes; 0 for no target")] = None,
    resolve: Annotated[float | None, typer.Option(min=0, help="Minutes; 0 for no target")] = None,
    escalate: Annotated[
        bool | None, typer.Option(help="Escalate an open incident that misses a target")
    ] = None,
    level: Annotated[int | None, typer.Option(min=1, max=20, help="The escalation level")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all targets")] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Set how soon incidents must be acknowledged and resolved."""
    client = client_of(data_dir)
    if clear:
        _print_connection(client.send("PATCH", _path(connection), {"response_targets": None}), as_json)
        return
    response_targets: Json = client.get(_path(connection))["response_targets"] or {}
    by_severity = response_targets.setdefault("by_severity", {})
    minutes = {"acknowledge_minutes": acknowledge, "resolve_minutes": resolve}
    for name_of_severity in severity or [*Severity]:
        severity_targets = by_severity.setdefault(name_of_severity, {})
        severity_targets.update({name: value or None for name, value in minutes.items() if value is not None})
    further = {"escalates_on_miss": escalate, "escalation_level": level}
    response_targets.update({name: value for name, value in further.items() if value is not None})
    _print_connection(
        client.send("PATCH", _path(connection), {"response_targets": response_targets}), as_json
    )


def _print_connection(connection: Json, as_json: bool) -> None:
    emit(connection, as_json, lambda connection: result_view(connection, []))
