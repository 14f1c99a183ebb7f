"""The commands `calmo-pagerduty tool …`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.clients.requests import tool_call
from ingress.commands.instances import client_of
from ingress.commands.options import ARGUMENTS, ARGUMENTS_STDIN, AS_JSON, DATA_DIR, WAIT
from ingress.commands.output import emit
from ingress.commands.pairs import InvalidArgument, parse_pairs
from ingress.commands.tool_help import ToolCallCommand
from ingress.commands.tool_view import call_table, call_view, tool_table

app = typer.Typer(
    no_args_is_help=True, help="List and call PagerDuty tools, and decide on calls that wait for approval."
)

Json = dict[str, Any]
CONNECTION = typer.Option("--connection", help="The connection. Default: the only connection")


@app.command("list")
def list_tools(
    connection: Annotated[str | None, CONNECTION] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only this category")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the tools. With --connection, show which of them this key may use."""
    params = [("category", name) for name in category or []]
    params += [("connection", connection)] if connection else []
    answer = client_of(data_dir).get("/api/tools", params)
    emit(answer, as_json, lambda answer: tool_table(answer["tools"], judged=connection is not None))


@app.command("call", cls=ToolCallCommand)
def call_tool(
    name: Annotated[str, typer.Argument(help="The tool's name")],
    arguments: Annotated[list[str] | None, ARGUMENTS] = None,
    from_stdin: Annotated[bool, ARGUMENTS_STDIN] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: a call with the same key is made only once")
    ] = None,
    wait: Annotated[float, WAIT] = 30.0,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Call a tool. Exits with 0 when it is done, with 3 for a ticket, else with 1."""
    client = client_of(data_dir)
    tools = {tool["name"]: tool for tool in client.get("/api/tools")["tools"]}
    values = read_stdin() if from_stdin else {}
    properties = tools.get(name, {}).get("arguments", {}).get("properties", {})
    values |= parse_pairs(arguments or [], properties)
    call = client.ask(tool_call(name, values, connection, key, wait))
    _print_call(call, tools.get(name, {}).get("columns", []), as_json)
    raise typer.Exit({"done": 0, "waiting": 3, "running": 3}.get(call["state"], 1))


@app.command()
def show(
    ticket: Annotated[str, typer.Argument(help="The ticket of the call")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show the state of a call, and its result."""
    client = client_of(data_dir)
    call = client.get(f"/api/tool-calls/{quote(ticket, safe='')}")
    tools = {tool["name"]: tool for tool in client.get("/api/tools")["tools"]}
    _print_call(call, tools.get(call["tool"], {}).get("columns", []), as_json)


@app.command()
def calls(
    state: Annotated[list[str] | None, typer.Option(help="waiting, running, done, failed, …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List calls, newest first. --state waiting shows the calls that wait for approval."""
    params = [("state", name) for name in state or []] + [("limit", str(limit))]
    answer = client_of(data_dir).get("/api/tool-calls", params)
    emit(answer, as_json, lambda answer: call_table(answer["calls"]))


@app.command()
def approve(
    ticket: Annotated[str, typer.Argument(help="The ticket of the call")],
    arguments_sha256: Annotated[
        str | None, typer.Option(help="Approve only if the call's arguments have this hash")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show a call that waits for approval, and approve it with exactly the arguments that were shown."""
    _decide(data_dir, ticket, "approve", arguments_sha256, as_json)


@app.command()
def deny(
    ticket: Annotated[str, typer.Argument(help="The ticket of the call")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Deny a call that waits for approval."""
    _decide(data_dir, ticket, "deny", None, as_json)


def _decide(data_dir: Path | None, ticket: str, decision: str, sha256: str | None, as_json: bool) -> None:
    client, path = client_of(data_dir), f"/api/tool-calls/{quote(ticket, safe='')}"
    shown = client.get(path)
    if not as_json and shown["state"] == "waiting":
        _print_call(shown, [], as_json)
    body = {"arguments_sha256": sha256 or shown["arguments_sha256"]}
    call = client.send("POST", f"{path}/{decision}", body)
    _print_call(call, [], as_json)


def _print_call(call: Json, columns: Sequence[Sequence[str]], as_json: bool) -> None:
    emit(call, as_json, lambda call: call_view(call, columns))


def read_stdin() -> Json:
    """Read all arguments as JSON. Raises InvalidArgument."""
    try:
        values = json.loads(sys.stdin.read())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InvalidArgument('standard input holds no JSON object: {"NAME": VALUE, …}')
    return values
