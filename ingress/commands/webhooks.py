"""calmo-pagerduty webhook …"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calmo_pagerduty.domain.scopes import Scope
from calmo_pagerduty.store import webhooks
from calmo_pagerduty.store.database import Database
from ingress.commands.instances import settings_for
from ingress.commands.options import DATA_DIR

app = typer.Typer(no_args_is_help=True, help="The addresses that PagerDuty delivers to.")


class NoSecret(Exception):
    """No signing secret came in on standard input."""


def webhook_url(public_address: str, webhook_id: str) -> str:
    return f"{public_address}/webhooks/pagerduty/{webhook_id}"


@app.command()
def create(
    scope: Annotated[str, typer.Option(help="personal:USER or organization:ORG")],
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read PagerDuty's signing secret from standard input.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make a webhook: the address to paste into PagerDuty, and the place for its signing secret."""
    owner = Scope.parse(scope)
    secret = read_secret() if secret_stdin else None
    settings = settings_for(data_dir)
    database = Database(settings.database)
    try:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        now = datetime.now(UTC)
        webhook_id = database.write_now(
            lambda connection: webhooks.create(connection, keyring, owner, secret, now)
        )
    finally:
        database.close()
    url = webhook_url(settings.public_address, webhook_id)
    made = {"id": webhook_id, "url": url, "scope": scope, "has_secret": secret is not None}
    if as_json:
        typer.echo(json.dumps(made))
        return
    console = Console()
    console.print(f"Webhook for [bold]{scope}[/]", f"  {url}", sep="\n", soft_wrap=True)
    if secret is None:
        console.print("It has no signing secret yet, so deliveries are asked to come back (503).")


def read_secret() -> bytes:
    """Read the signing secret, without the line end and spaces that pasting adds. Raises NoSecret."""
    # Standard input may be closed (<&-): then there is none.
    secret = sys.stdin.buffer.read(10_000).strip() if sys.stdin else b""
    if not secret:
        raise NoSecret("no signing secret came in on standard input")
    return secret
