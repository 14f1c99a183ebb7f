"""The commands `calmo-pagerduty performance …`."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import print_json
from ingress.commands.query_params import query_params

app = typer.Typer(
    no_args_is_help=True,
    help="Show how fast teams, services and policies answer and resolve, by tested comparisons.",
)


class By(StrEnum):
    """As `calmo_pagerduty.performance.report.Grouping`, whose import is slow; a test compares them."""

    ACCOUNT = "account"
    SERVICE = "service"
    TEAM = "team"
    POLICY = "policy"


@app.command("show")
def show_performance(
    by: Annotated[By, typer.Option(help="What incidents are grouped by")] = By.SERVICE,
    since: Annotated[datetime | None, typer.Option(help="Incidents created from then on (UTC)")] = None,
    until: Annotated[datetime | None, typer.Option(help="Incidents created before (UTC)")] = None,
    urgency: Annotated[str | None, typer.Option(help="high or low. Default: both")] = None,
    service: Annotated[str | None, typer.Option(help="Only this service, by id")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team, by id")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this escalation policy, by id")] = None,
    now: Annotated[datetime | None, typer.Option(help="The time of the analysis (UTC). Default: now")] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show times to acknowledge and to resolve, shares, and PagerDuty's own metrics, with n and intervals."""
    client = client_of(data_dir)
    asked = query_params(
        by=by.value,
        since=since,
        until=until,
        urgency=urgency,
        service=service,
        team=team,
        policy=policy,
        now=now,
        as_of=as_of,
    )
    result: dict[str, Any] = client.get(f"{connection_path(client, connection)}/performance", asked)
    if as_json:
        print_json(result)
        return
    from ingress.commands.performance_view import print_performance  # noqa: PLC0415 - imports rich

    print_performance(result)
