"""The commands `calmo-pagerduty trends …` and `calmo-pagerduty capacity …`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import print_json
from ingress.commands.query_params import query_params

trends_app = typer.Typer(
    no_args_is_help=True, help="Show which services' incidents come more often, and what comes next."
)
capacity_app = typer.Typer(
    no_args_is_help=True, help="Show whether the people on call can bear the incidents, and until when."
)

NOW = typer.Option("--now", help="The time of the analysis (UTC). Default: now")
SERVICE = typer.Option(help="Only this service, by id, with its plots")


@trends_app.command("show")
def show_trends(
    service: Annotated[str | None, SERVICE] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show trends, seasons, watches and forecasts of services, and trends of teams."""
    result = _get("trends", connection, data_dir, now=now, as_of=as_of, service=service)
    if as_json:
        print_json(result)
        return
    from ingress.commands.trend_view import print_trends  # noqa: PLC0415 - imports rich

    print_trends(result, is_single=service is not None)


@capacity_app.command("show")
def show_capacity(
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show incidents per shift beside the limit, people needed, and when the limit is reached."""
    result = _get("capacity", connection, data_dir, now=now, as_of=as_of)
    if as_json:
        print_json(result)
        return
    from ingress.commands.trend_view import print_capacity  # noqa: PLC0415 - imports rich

    print_capacity(result)


def _get(
    name: str, connection: str | None, data_dir: Path | None, **values: datetime | str | None
) -> dict[str, Any]:
    client = client_of(data_dir)
    answer: dict[str, Any] = client.get(
        f"{connection_path(client, connection)}/{name}", query_params(**values)
    )
    return answer
