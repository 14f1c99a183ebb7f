"""The commands `calmo-pagerduty patterns …`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import print_json
from ingress.commands.query_params import query_params

app = typer.Typer(
    no_args_is_help=True,
    help="Show what repeats: flapping alerts, noise, groups, and what a change would have avoided.",
)

NOW = typer.Option("--now", help="The time of the analysis (UTC). Default: now")
PART = typer.Option(help="Only this part, such as auto_pause or noise")


@app.command("stories")
def show_stories(
    hours: Annotated[int, typer.Option(help="So many hours are told")] = 24,
    now: Annotated[datetime | None, NOW] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show incidents of several teams or accounts that belong together, and why."""
    result = client_of(data_dir).get("/api/stories", query_params(hours=str(hours), now=now))
    if as_json:
        print_json(result)
        return
    from ingress.commands.pattern_view import print_stories  # noqa: PLC0415 - imports rich

    print_stories(result)


@app.command("show")
def show_patterns(
    part: Annotated[str | None, PART] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show the patterns of the last 90 days, with the pages that each advice would have avoided."""
    client = client_of(data_dir)
    params = query_params(part=part, now=now, as_of=as_of)
    result = client.get(f"{connection_path(client, connection)}/patterns", params)
    if as_json:
        print_json(result)
        return
    from ingress.commands.pattern_view import print_patterns  # noqa: PLC0415 - imports rich

    print_patterns(result)
