"""calmo-pagerduty encryption …"""

import json
from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.store import key_rotation
from calmo_pagerduty.store.database import Database
from ingress.commands.instances import settings_for
from ingress.commands.options import DATA_DIR

app = typer.Typer(no_args_is_help=True, help="The master keys that secrets are sealed with.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Tell how many secrets are under each master key."""
    settings = settings_for(data_dir)
    database = Database(settings.database)
    try:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        counted = dict(database.read_now(key_rotation.count_by_key))
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps({"primary": keyring.primary, "secrets": counted}))
        return
    for kid, count in counted.items():
        typer.echo(f"{kid}  {count} secrets{'  (seals)' if kid == keyring.primary else ''}")


@app.command()
def rewrap(
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Bring every secret under the first configured master key, while the service runs."""
    settings = settings_for(data_dir)
    database = Database(settings.database)
    try:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        total = 0
        while some := database.write_now(lambda transaction: key_rotation.rewrap_some(transaction, keyring)):
            total += some
            if not as_json:
                typer.echo(f"{total} done", err=True)
        idle = database.write_now(lambda transaction: key_rotation.forget_keys(transaction, keyring))
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps({"primary": keyring.primary, "rewrapped": total, "not_needed_any_more": idle}))
        return
    typer.echo(f"{total} secrets brought under {keyring.primary}")
    for kid in idle:
        typer.echo(f"{kid} isn't needed any more: take it out of the configuration")
