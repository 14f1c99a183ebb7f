"""The commands `calmo-pagerduty encryption …`."""

from pathlib import Path
from typing import Annotated

import typer

from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit, tell

app = typer.Typer(no_args_is_help=True, help="Manage the master keys that encrypt secrets.")


@app.command()
def status(
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show how many secrets each master key encrypts."""
    from ingress.commands.local_store import count_secrets_by_key  # noqa: PLC0415 - imports SQLAlchemy

    primary, counted = count_secrets_by_key(data_dir)
    lines = [
        f"{kid}  {count} secrets{'  (seals)' if kid == primary else ''}" for kid, count in counted.items()
    ]
    emit({"primary": primary, "secrets": counted}, as_json, lambda _: "\n".join(lines))


@app.command()
def rewrap(
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Encrypt every secret with the first configured master key. The service may run meanwhile."""
    from ingress.commands.local_store import rewrap_secrets  # noqa: PLC0415 - imports SQLAlchemy

    def tell_progress(done: int) -> None:
        if not as_json:
            tell(f"{done} done")

    primary, total, idle = rewrap_secrets(data_dir, tell_progress)
    lines = [f"{total} secrets brought under {primary}"]
    lines += [f"{kid} is no longer needed: remove it from the configuration" for kid in idle]
    done = {"primary": primary, "rewrapped": total, "not_needed_any_more": idle}
    emit(done, as_json, lambda _: "\n".join(lines))
