"""The commands `calmo-pagerduty people …`."""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.access.roles import Role, make_grant
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit

app = typer.Typer(
    no_args_is_help=True, help="Manage people who sign in to the dashboard through the OpenID provider."
)

SUBJECT = typer.Argument(help="The provider's name of the person, which never changes: the claim sub")


@app.command("list")
def list_people(
    as_json: Annotated[bool, AS_JSON] = False, data_dir: Annotated[Path | None, DATA_DIR] = None
) -> None:
    """List the people who have signed in or were set, with their roles."""
    from ingress.commands.local_people import people  # noqa: PLC0415 - imports SQLAlchemy
    from ingress.commands.people_view import people_table  # noqa: PLC0415 - imports rich

    emit({"people": people(data_dir)}, as_json, lambda answer: people_table(answer["people"]))


@app.command("set")
def set_person(
    subject: Annotated[str, SUBJECT],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(Role)}")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="personal:USER or organization:ORG. An operator sees everything and has none"),
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Who it is, such as PagerDuty's id of the user. Default: the subject")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Give a person a role and scopes, whatever their groups. Sessions that run change at once."""
    grant = make_grant(role, scope or ())
    from ingress.commands.local_people import set_person as save  # noqa: PLC0415 - imports SQLAlchemy
    from ingress.commands.people_view import people_table  # noqa: PLC0415 - imports rich

    emit(save(data_dir, subject, grant, person), as_json, lambda row: people_table([row]))


@app.command()
def remove(
    subject: Annotated[str, SUBJECT],
    keep_out: Annotated[
        bool, typer.Option("--keep-out", help="Refuse the person from now on, whatever their groups")
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """End a person's sessions and the keys that they made, and forget their role.

    If their groups give them a role, they may sign in again, unless they are kept out.
    """
    from ingress.commands.local_people import remove_person  # noqa: PLC0415 - imports SQLAlchemy

    emit(remove_person(data_dir, subject, keep_out), as_json, lambda row: f"removed: {row['subject']}")
