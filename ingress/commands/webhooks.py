"""The commands `calmo-pagerduty webhook …`."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.webhooks.event_filters import EventFilter, EventSet
from calmo_pagerduty.webhooks.signing_secrets import parse_secret as read_pasted
from ingress.commands import deliveries, reconcile
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit, print_json, print_view
from ingress.commands.webhook_view import (
    created_webhook_view,
    step_line,
    validation_line,
    webhook_table,
    webhook_view,
)

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

app = typer.Typer(no_args_is_help=True, help="Manage webhooks, to which PagerDuty delivers.")

Json = dict[str, Any]
POLL_SECONDS = 1.0
WEBHOOK = typer.Argument(help="The webhook's id, or its handle from the list")


class NoSecret(ExplainedError):
    """Standard input holds no signing secret."""


@app.command()
def create(
    scope: Annotated[str, typer.Option(help="personal:USER or organization:ORG")],
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read PagerDuty's signing secret from standard input.")
    ] = False,
    name: Annotated[str, typer.Option(help="A name for people")] = "",
    events: Annotated[EventSet, typer.Option(help="The set of event types")] = EventSet.ADVANCED,
    service: Annotated[
        list[str] | None, typer.Option(help="Only events of this service (PagerDuty's id)")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="Only events of this team (PagerDuty's id)")] = None,
    subscribe: Annotated[
        str | None,
        typer.Option(help="Also make PagerDuty's subscription, with this connection; the service must run"),
    ] = None,
    connection: Annotated[
        str | None,
        typer.Option(help="The connection that it belongs to; needed if the scope has several"),
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make a webhook: the address to paste into PagerDuty, and the place for its signing secret.

    The address is shown only now.
    """
    only = EventFilter(tuple(service or ()), tuple(team or ())).validated()
    if subscribe is not None:
        body = {
            "scope": scope,
            "name": name,
            "event_set": events,
            "service_ids": only.service_ids,
            "team_ids": only.team_ids,
            "connection": subscribe,
            "subscribe": True,
        }
        webhook = client_of(data_dir).send("POST", "/api/webhooks", body)
    else:
        secret = read_pasted(read_secret()).secret if secret_stdin else None
        from ingress.commands.local_store import create_webhook  # noqa: PLC0415 - imports SQLAlchemy

        webhook = create_webhook(data_dir, Scope.parse(scope), name, connection, events, only, secret)
    emit(webhook, as_json, created_webhook_view)


def read_secret() -> bytes:
    """Read the pasted secret from standard input, without surrounding white space. Raises NoSecret."""
    # Standard input may be closed (<&-).
    secret = sys.stdin.buffer.read(10_000).strip() if sys.stdin else b""
    if not secret:
        raise NoSecret("no signing secret came in on standard input")
    return secret


@app.command("list")
def list_webhooks(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the webhooks and their states."""
    answer = client_of(data_dir).get("/api/webhooks")
    emit(answer, as_json, lambda answer: webhook_table(answer["webhooks"]))


@app.command()
def show(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show a webhook, and the steps that are left to set it up."""
    _print_webhook(client_of(data_dir).get(_path(webhook)), as_json)


@app.command("set-secret")
def set_secret(
    webhook: Annotated[str, WEBHOOK],
    add: Annotated[
        bool,
        typer.Option(
            "--add", help="Keep the other secrets forever, for a webhook with several subscriptions"
        ),
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Set the signing secret, from standard input. Earlier secrets stay valid for 72 h."""
    body = {"secret": read_secret().decode(errors="replace"), "keep_others": add}
    _print_webhook(client_of(data_dir).send("PUT", _path(webhook, "secret"), body), as_json)


@app.command()
def pause(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Pause a webhook: its deliveries are stored, but change no issue."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "pause"), {}), as_json)


@app.command()
def resume(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Resume a paused webhook."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "resume"), {}), as_json)


@app.command()
def subscribe(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make PagerDuty's subscription for a webhook, with its connection's token."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "subscription"), {}), as_json)


@app.command()
def rotate(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replace PagerDuty's subscription and its signing secret. Both secrets are valid for 72 h."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "rotate"), {}), as_json)


@app.command()
def delete(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Delete a webhook, and PagerDuty's subscription if we made it. Its deliveries stay stored."""
    _print_webhook(client_of(data_dir).send("DELETE", _path(webhook)), as_json)


@app.command("test")
def try_out(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Test a webhook end to end with a synthetic incident. Exits with 1 if a step fails."""
    steps = []
    for step in client_of(data_dir).steps(_path(webhook, "test")):
        steps.append(step)
        if not as_json:
            print_view(step_line(step))
    ok = bool(steps) and all(step["ok"] is not False for step in steps)
    if as_json:
        print_json({"ok": ok, "steps": steps})
    raise typer.Exit(0 if ok else 1)


@app.command()
def wizard(
    webhook: Annotated[str, WEBHOOK],
    wait: Annotated[float, typer.Option(min=0, max=3600, help="How many seconds to wait for a delivery")] = 0,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Check whether PagerDuty's deliveries verify, and why not. Exits with 1 until a delivery does."""
    last: Json = {}
    for validation in _validations(client_of(data_dir), _path(webhook, "validation"), wait):
        if not as_json and validation["finding"] != last.get("finding"):
            print_view(validation_line(validation))
        last = validation
    if as_json:
        print_json(last)
    raise typer.Exit(0 if last["proven"] else 1)


def _validations(client: "ApiClient", path: str, seconds: float) -> Iterator[Json]:
    """Yield validations until a delivery is verified or `seconds` have passed."""
    ends_at = time.monotonic() + seconds
    while True:
        validation = client.send("POST", path, {})
        yield validation
        if validation["proven"] or time.monotonic() >= ends_at:
            return
        time.sleep(POLL_SECONDS)


def _path(webhook: str, *more: str) -> str:
    return "/".join(["/api/webhooks", quote(webhook, safe=""), *more])


def _print_webhook(webhook: Json, as_json: bool) -> None:
    emit(webhook, as_json, webhook_view)


app.command("deliveries")(deliveries.list_webhook_deliveries)
app.command("doctor")(reconcile.doctor)
