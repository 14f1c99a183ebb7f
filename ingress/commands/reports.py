"""The commands `calmo-pagerduty report …`."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import CONNECTION, DATA_DIR
from ingress.commands.query_params import query_params

app = typer.Typer(
    no_args_is_help=True,
    help="Make reports: weekly operations, reviews of services and on-call, effectiveness of response.",
)


class Kind(StrEnum):
    """As `calmo_pagerduty.reports.model.ReportKind`, whose import is slow; a test compares them."""

    WEEKLY_OPERATIONS = "weekly-operations"
    SERVICE_REVIEW = "service-review"
    ON_CALL_REVIEW = "on-call-review"
    RESPONSE_EFFECTIVENESS = "response-effectiveness"


class Format(StrEnum):
    """As `calmo_pagerduty.reports.rendering.ReportFormat`."""

    JSON = "json"
    MARKDOWN = "md"
    HTML = "html"
    CSV = "csv"


@app.command("make")
def make_report(
    kind: Annotated[Kind, typer.Argument(help="Which report")],
    since: Annotated[datetime | None, typer.Option(help="Incidents created from then on (UTC)")] = None,
    until: Annotated[datetime | None, typer.Option(help="Incidents created before (UTC)")] = None,
    days: Annotated[int | None, typer.Option(help="Instead of --since: so many days")] = None,
    by: Annotated[str | None, typer.Option(help="account, service, team or policy")] = None,
    urgency: Annotated[str | None, typer.Option(help="high or low. Default: both")] = None,
    service: Annotated[str | None, typer.Option(help="Only this service, by id")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team, by id")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this escalation policy, by id")] = None,
    format_: Annotated[Format, typer.Option("--format", help="csv is its first table")] = Format.MARKDOWN,
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Make a report from the newest snapshot, and print it."""
    client = client_of(data_dir)
    asked = query_params(
        kind=kind.value,
        since=since,
        until=until,
        days=None if days is None else str(days),
        by=by,
        urgency=urgency,
        service=service,
        team=team,
        policy=policy,
        format=format_.value,
    )
    path = f"{connection_path(client, connection)}/report"
    typer.echo(client.text(path, asked), nl=False)
