"""calmo-pagerduty encryption …"""

from pathlib import Path
from typing import Annotated

import typer

from bootstrap.store import open_store
from calmo_pagerduty.db import key_rotation
from ingress.commands.instances import settings_for
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit

app = typer.Typer(no_args_is_help=True, help="The master keys that secrets are sealed with.")


@app.command()
def status(
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Tell how many secrets are under each master key."""
    with open_store(settings_for(data_dir)) as own:
        counted = dict(own.database.read_blocking(key_rotation.count_values_by_key))
    primary = own.keyring.primary
    lines = [
        f"{kid}  {count} secrets{'  (seals)' if kid == primary else ''}" for kid, count in counted.items()
    ]
    emit({"primary": primary, "secrets": counted}, as_json, lambda _: "\n".join(lines))


@app.command()
def rewrap(
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Bring every secret under the first configured master key, while the service runs."""
    total = 0
    with open_store(settings_for(data_dir)) as own:
        database, keyring = own.database, own.keyring
        while some := database.write_blocking(
            lambda transaction: key_rotation.update_sealed_batch(transaction, keyring)
        ):
            total += some
            if not as_json:
                typer.echo(f"{total} done", err=True)
        idle = database.write_blocking(
            lambda transaction: key_rotation.delete_unused_keys(transaction, keyring)
        )
    lines = [f"{total} secrets brought under {keyring.primary}"]
    lines += [f"{kid} isn't needed any more: take it out of the configuration" for kid in idle]
    done = {"primary": keyring.primary, "rewrapped": total, "not_needed_any_more": idle}
    emit(done, as_json, lambda _: "\n".join(lines))
