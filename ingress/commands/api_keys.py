"""calmo-pagerduty api-key …"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.domain.scopes import Scope
from calmo_pagerduty.store import api_keys
from calmo_pagerduty.store.database import Database
from ingress.authentication import ALL_PERMISSIONS, ISSUES_READ
from ingress.commands.instances import settings_for
from ingress.commands.options import DATA_DIR

app = typer.Typer(no_args_is_help=True, help="Keys for the REST API.")


class UnknownPermission(Exception):
    """A permission that does not exist was asked for."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whom it is for, to recognise it by")],
    permission: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(ALL_PERMISSIONS)}. Default: {ISSUES_READ}")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="personal:USER or organization:ORG. Default: sees everything")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Whose key it is: nobody approves what they asked for")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="PagerDuty's id of a team that it works for")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make an API key. It is shown this once."""
    permissions = permission or [ISSUES_READ]
    if unknown := set(permissions) - set(ALL_PERMISSIONS):
        raise UnknownPermission(f"no such permission: {', '.join(sorted(unknown))}")
    scopes = [Scope.parse(one) for one in scope] if scope else None
    database = Database(settings_for(data_dir).database)
    try:
        database.migrate()
        now = datetime.now(UTC)
        key = database.write_now(
            lambda connection: api_keys.create(connection, name, permissions, scopes, now, person, team or ())
        )
    finally:
        database.close()
    typer.echo(json.dumps({"name": name, "key": key}) if as_json else key)
