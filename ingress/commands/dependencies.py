"""The commands `calmo-pagerduty dependencies …`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, emit
from ingress.commands.query_params import query_params

app = typer.Typer(
    no_args_is_help=True, help="Which services depend on which, what is critical, and what fails alone."
)

Json = dict[str, Any]
SERVICE = typer.Argument(help="Only this business service, by id or name. Default: all")
DAYS = typer.Option(min=1, max=365, help="How many days of incidents count")
FORMATS = ("table", "svg", "mermaid", "dot")


@app.command("map")
def show_map(
    form: Annotated[str, typer.Option("--format", help="table, svg, mermaid or dot")] = "table",
    focus: Annotated[
        str | None, typer.Option(help="Only this service and what is near, by id or name")
    ] = None,
    hops: Annotated[int, typer.Option(min=1, max=10, help="How near, with --focus")] = 1,
    team: Annotated[list[str] | None, typer.Option(help="Only this team's services, by id")] = None,
    text: Annotated[str, typer.Option(help="Only services with this text in their name")] = "",
    at: Annotated[datetime | None, typer.Option(help="As it was at this time (UTC). Default: now")] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show services with what they depend on, and what is open on them."""
    if form not in FORMATS:
        raise typer.BadParameter(f"--format is one of {', '.join(FORMATS)}")
    client = client_of(data_dir)
    params = query_params(at=at, as_of=as_of, focus=focus, hops=str(hops), text=text or None)
    params += [("team", team_id) for team_id in team or ()]
    path = f"{connection_path(client, connection)}/dependencies/map"
    if form == "svg":
        echo_text(client.text(f"{path}.svg", params), nl=False)
    elif form in {"mermaid", "dot"}:
        echo_text(client.text(path, [*params, ("format", form)]), nl=False)
    else:
        from ingress.commands.dependencies_view import map_view  # noqa: PLC0415 - imports rich

        emit(client.get(path, params), as_json, map_view)


@app.command()
def critical(
    service: Annotated[str | None, SERVICE] = None,
    days: Annotated[int, DAYS] = 90,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show what business services lost, by which services, and what repairing one would gain."""
    from ingress.commands.dependencies_view import critical_view  # noqa: PLC0415 - imports rich

    emit(_report("critical", service, days, as_of, connection, data_dir), as_json, critical_view)


@app.command("single-points")
def single_points(
    service: Annotated[str | None, SERVICE] = None,
    days: Annotated[int, DAYS] = 90,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show services through which alone others reach a business service, by hours contributed."""
    from ingress.commands.dependencies_view import single_points_view  # noqa: PLC0415 - imports rich

    emit(_report("single-points", service, days, as_of, connection, data_dir), as_json, single_points_view)


@app.command()
def undeclared(
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show services whose incidents begin together more often than by chance, with the incidents."""
    from ingress.commands.dependencies_view import undeclared_view  # noqa: PLC0415 - imports rich

    emit(_report("undeclared", None, None, as_of, connection, data_dir), as_json, undeclared_view)


@app.command()
def changes(
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List dependencies that were added and removed, between which readings."""
    from ingress.commands.dependencies_view import changes_view  # noqa: PLC0415 - imports rich

    emit(_report("changes", None, None, as_of, connection, data_dir), as_json, changes_view)


def _report(
    name: str,
    service: str | None,
    days: int | None,
    as_of: datetime | None,
    connection: str | None,
    data_dir: Path | None,
) -> Json:
    client = client_of(data_dir)
    params = query_params(as_of=as_of, service=service, days=None if days is None else str(days))
    answer: Json = client.get(f"{connection_path(client, connection)}/dependencies/{name}", params)
    return answer
