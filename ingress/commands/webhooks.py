"""calmo-pagerduty webhook …"""

import json
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
from ingress.commands import deliveries
from ingress.commands import reconcile as healing
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit, print_view
from ingress.commands.webhook_view import (
    created_webhook_view,
    step_line,
    validation_line,
    webhook_table,
    webhook_view,
)

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

app = typer.Typer(no_args_is_help=True, help="The addresses that PagerDuty delivers to.")

Json = dict[str, Any]
POLL_SECONDS = 1.0
WEBHOOK = typer.Argument(help="The webhook's id, or its short form from the list")


class NoSecret(ExplainedError):
    """No signing secret came in on standard input."""


@app.command()
def create(
    scope: Annotated[str, typer.Option(help="personal:USER or organization:ORG")],
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read PagerDuty's signing secret from standard input.")
    ] = False,
    name: Annotated[str, typer.Option(help="What people call it")] = "",
    events: Annotated[EventSet, typer.Option(help="Which events")] = EventSet.ADVANCED,
    service: Annotated[list[str] | None, typer.Option(help="Only of this service (PagerDuty's id)")] = None,
    team: Annotated[list[str] | None, typer.Option(help="Only of this team (PagerDuty's id)")] = None,
    subscribe: Annotated[
        str | None,
        typer.Option(help="Make PagerDuty's subscription too, as this connection; needs the running service"),
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make a webhook: the address to paste into PagerDuty, and the place for its signing secret.

    The address is shown this once.
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
        made = client_of(data_dir).send("POST", "/api/webhooks", body)
    else:
        secret = read_pasted(read_secret()).secret if secret_stdin else None
        from ingress.commands.local_store import create_webhook  # noqa: PLC0415 - slow

        made = create_webhook(data_dir, Scope.parse(scope), name, events, only, secret)
    emit(made, as_json, created_webhook_view)


def read_secret() -> bytes:
    """Read what was pasted, without the line end and spaces that pasting adds. Raises NoSecret."""
    # Standard input may be closed (<&-): then there is none.
    secret = sys.stdin.buffer.read(10_000).strip() if sys.stdin else b""
    if not secret:
        raise NoSecret("no signing secret came in on standard input")
    return secret


@app.command("list")
def list_webhooks(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the webhooks."""
    answer = client_of(data_dir).get("/api/webhooks")
    emit(answer, as_json, lambda answer: webhook_table(answer["webhooks"]))


@app.command()
def show(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show one webhook, and what is left to set up."""
    _print_webhook(client_of(data_dir).get(_path(webhook)), as_json)


@app.command("set-secret")
def set_secret(
    webhook: Annotated[str, WEBHOOK],
    add: Annotated[
        bool, typer.Option("--add", help="Keep the others for good: for a webhook with several subscriptions")
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Give it PagerDuty's signing secret, from standard input. The one before counts for 72 h more."""
    body = {"secret": read_secret().decode(errors="replace"), "keep_others": add}
    _print_webhook(client_of(data_dir).send("PUT", _path(webhook, "secret"), body), as_json)


@app.command()
def pause(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Put its deliveries aside from now on: they are kept, and change no issue."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "pause"), {}), as_json)


@app.command()
def resume(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Take its deliveries as usual again."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "resume"), {}), as_json)


@app.command()
def subscribe(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make PagerDuty's subscription for it, with its connection's token."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "subscription"), {}), as_json)


@app.command()
def rotate(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Put a new subscription with a new secret in place of the one there. Both secrets count for 72 h."""
    _print_webhook(client_of(data_dir).send("POST", _path(webhook, "rotate"), {}), as_json)


@app.command()
def delete(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Delete it, and PagerDuty's subscription if we made it. What was delivered stays."""
    _print_webhook(client_of(data_dir).send("DELETE", _path(webhook)), as_json)


@app.command("test")
def try_out(
    webhook: Annotated[str, WEBHOOK],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Walk its whole way with a test delivery, step by step. Ends with 1 if a step fails."""
    steps = []
    for step in client_of(data_dir).steps(_path(webhook, "test")):
        steps.append(step)
        if not as_json:
            print_view(step_line(step))
    well = bool(steps) and all(step["ok"] is not False for step in steps)
    if as_json:
        typer.echo(json.dumps({"ok": well, "steps": steps}))
    raise typer.Exit(0 if well else 1)


@app.command()
def wizard(
    webhook: Annotated[str, WEBHOOK],
    wait: Annotated[float, typer.Option(min=0, max=3600, help="How many seconds to wait for a delivery")] = 0,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Say whether PagerDuty's deliveries verify, and if not, why. Ends with 1 until one does."""
    said: Json = {}
    for found in _validations(client_of(data_dir), _path(webhook, "validation"), wait):
        if not as_json and found["finding"] != said.get("finding"):
            print_view(validation_line(found))
        said = found
    if as_json:
        typer.echo(json.dumps(said))
    raise typer.Exit(0 if said["proven"] else 1)


def _validations(client: "ApiClient", path: str, seconds: float) -> Iterator[Json]:
    """Yield what the wizard says, again and again until it is good or the time is over."""
    ends_at = time.monotonic() + seconds
    while True:
        said = client.send("POST", path, {})
        yield said
        if said["proven"] or time.monotonic() >= ends_at:
            return
        time.sleep(POLL_SECONDS)


def _path(webhook: str, *more: str) -> str:
    return "/".join(["/api/webhooks", quote(webhook, safe=""), *more])


def _print_webhook(webhook: Json, as_json: bool) -> None:
    emit(webhook, as_json, webhook_view)


app.command("deliveries")(deliveries.list_webhook_deliveries)
app.command("doctor")(healing.doctor)
