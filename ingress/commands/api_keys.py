"""The commands `calmo-pagerduty api-key …`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS, ISSUES_READ
from calmo_pagerduty.kernel.durations import parse_duration
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import Scope
from ingress.commands.delivery_view import key_table
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit

app = typer.Typer(no_args_is_help=True, help="Manage API keys of the REST API.")

#: How long a key lives unless somebody says otherwise.
DEFAULT_LIFETIME = "90d"
NEVER = "never"


class UnknownPermission(ExplainedError):
    """The requested permission does not exist, or the duration can't be read."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="A name to recognize the key by")],
    permission: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(ALL_PERMISSIONS)}. Default: {ISSUES_READ}")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="personal:USER or organization:ORG. Default: the key sees everything"),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(help="The person who uses the key. Only persons approve, and nobody their own calls"),
    ] = None,
    team: Annotated[
        list[str] | None, typer.Option(help="PagerDuty's id of a team that the key works for")
    ] = None,
    expires_in: Annotated[
        str, typer.Option(help=f"12h, 30d, 8w, or {NEVER}: how long the key is valid")
    ] = DEFAULT_LIFETIME,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make an API key and show it this once.

    It is written to the database directly, so no key is needed; the audit says that the command line made it.
    """
    permissions = permission or [ISSUES_READ]
    if unknown := set(permissions) - set(ALL_PERMISSIONS):
        raise UnknownPermission(f"no such permission: {', '.join(sorted(unknown))}")
    scopes = [Scope.parse(text) for text in scope] if scope else None
    lifetime = None if expires_in == NEVER else _parse_duration(expires_in)
    from ingress.commands.local_store import create_api_key  # noqa: PLC0415 - imports SQLAlchemy

    key = create_api_key(data_dir, name, permissions, scopes, person, team or (), lifetime)
    emit({"name": name, "key": key}, as_json, lambda new_key: new_key["key"])


@app.command("list")
def list_keys(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the API keys, newest first, without their secrets."""
    answer = client_of(data_dir).get("/api/api-keys")
    emit(answer, as_json, lambda answer: key_table(answer["keys"]))


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(help="The key's id: the part after calmo_")],
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="How long the old key stays valid beside the new one")
    ] = 24.0,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replace an API key by a new one with the same rights, and show it this once.

    A call that is repeated with the new key and the old idempotency key is the same call.
    """
    path = f"/api/api-keys/{quote(key, safe='')}/rotate"
    made = client_of(data_dir).send("POST", path, {"overlap_hours": overlap_hours})
    emit(made, as_json, lambda new_key: new_key["key"])


@app.command("clear-untrusted")
def clear_untrusted(
    key: Annotated[str, typer.Argument(help="The key's id: the part after calmo_")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Forget that an agent has read texts from outside with a key, such as when its agent begins anew.

    Until then, or for twelve hours, its writes through MCP wait for a person.
    """
    path = f"/api/api-keys/{quote(key, safe='')}/untrusted"
    cleared = client_of(data_dir).send("DELETE", path)
    emit(cleared, as_json, lambda cleared: f"cleared: {cleared['id']} ({cleared['name']})")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id: the part after calmo_")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Revoke an API key at once, and all keys that were made with it."""
    path = f"/api/api-keys/{quote(key, safe='')}"
    revoked = client_of(data_dir).send("DELETE", path)
    emit(revoked, as_json, lambda revoked: f"revoked: {revoked['id']} ({revoked['name']})")


def _parse_duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UnknownPermission(f"--expires-in: {error}") from error
