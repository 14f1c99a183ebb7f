"""The commands `calmo-pagerduty erase …`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit

app = typer.Typer(
    no_args_is_help=True,
    help="Erase an issue, a person or a tenant. Without --confirm, only count what would be erased.",
)

CONFIRM = typer.Option("--confirm", help="Erase. It can't be undone")


@app.command()
def issue(
    name: Annotated[str, typer.Argument(help="The issue's id, or its incident's id at PagerDuty")],
    confirm: Annotated[bool, CONFIRM] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Erase an issue with its timeline, deliveries, contexts and workflows, and what others say of it."""
    from ingress.commands.local_erasure import erase_issue  # noqa: PLC0415 - imports SQLAlchemy

    emit(erase_issue(data_dir, name, confirm), as_json, _view)


@app.command()
def person(
    name: Annotated[
        str, typer.Argument(help="PagerDuty's id of the user, or who a key or sign-in says it is")
    ],
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another text that means the person, such as a name or an address"),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help="Replace texts in this tenant's rows only, such as organization:ORG"),
    ] = None,
    confirm: Annotated[bool, CONFIRM] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replace a person by a pseudonym everywhere, revoke their keys, and delete what is theirs alone."""
    from calmo_pagerduty.kernel.scopes import Scope  # noqa: PLC0415 - not every command needs it
    from ingress.commands.local_erasure import erase_person  # noqa: PLC0415 - imports SQLAlchemy

    within = None if scope is None else Scope.parse(scope)
    emit(erase_person(data_dir, name, tuple(also or ()), within, confirm), as_json, _view)


@app.command()
def organization(
    name: Annotated[str, typer.Argument(help="The organization, or a scope such as personal:USER")],
    confirm: Annotated[bool, CONFIRM] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Erase all that belongs to a tenant: connections, webhooks, issues, keys, workflows and schedules."""
    from calmo_pagerduty.kernel.scopes import Scope  # noqa: PLC0415 - not every command needs it
    from ingress.commands.local_erasure import erase_organization  # noqa: PLC0415 - imports SQLAlchemy

    scope = Scope.parse(name if ":" in name else f"organization:{name}")
    emit(erase_organization(data_dir, scope, confirm), as_json, _view)


def _view(answer: dict[str, Any]) -> str:
    lines = [f"{rows:>8}  {table}" for table, rows in answer["rows"].items()]
    lines += [f"{answer['workflows']:>8}  workflows at Temporal"]
    if answer["carried_out"]:
        return "\n".join([f"erased ({answer['kind']}):", *lines])
    return "\n".join(
        [f"would be erased ({answer['kind']}):", *lines, "Nothing was erased: add --confirm to erase it."]
    )
