"""The commands `calmo-pagerduty report …`."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, print_json
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
    echo_text(client.text(path, asked), nl=False)


@app.command("list")
def list_reports(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List kept reports, when the next ones are made, and how their delivery went."""
    client = client_of(data_dir)
    path = connection_path(client, connection)
    found = {
        **client.get(f"{path}/reports"),
        **client.get(f"{path}/report-schedules"),
        **client.get(f"{path}/report-deliveries"),
    }
    if as_json:
        print_json(found)
        return
    for report in found["reports"]:
        echo_text(f"{report['id']}  {report['kind']}  {report['since'][:10]} to {report['until'][:10]}")
    if not found["reports"]:
        echo_text("No report was kept yet: `report schedule` says when they are made.")
    for schedule in found["schedules"]:
        times = ", ".join(time[:16].replace("T", " ") for time in schedule["next_times"]) or "paused"
        echo_text(f"next {schedule['kind']}: {times} UTC")
    for row in found["deliveries"]:
        answer = "no answer" if row["status"] is None else f"status {row['status']}"
        echo_text(f"{row['at'][:19]}  {row['report']}  attempt {row['attempt']}: {row['outcome']}, {answer}")


@app.command("show")
def show_report(
    report: Annotated[str, typer.Argument(help="The id of a kept report")],
    format_: Annotated[Format, typer.Option("--format", help="csv is its first table")] = Format.MARKDOWN,
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Print a kept report as it was made."""
    client = client_of(data_dir)
    asked = query_params(kept=report, format=format_.value)
    echo_text(client.text(f"{connection_path(client, connection)}/report", asked), nl=False)


@app.command("schedule")
def schedule_report(
    kind: Annotated[Kind, typer.Argument(help="Which report")],
    every: Annotated[str, typer.Option(help="week, month (on its first day) or never")] = "week",
    weekday: Annotated[str, typer.Option(help="For week: monday to sunday")] = "monday",
    hour: Annotated[int, typer.Option(help="Local hour, 0 to 23")] = 7,
    time_zone: Annotated[str, typer.Option(help="IANA's name, such as Europe/London")] = "Etc/UTC",
    days: Annotated[
        int | None, typer.Option(help="How many days each report is about; default: as usual for the kind")
    ] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Say when a kind of report is made, kept, and sent to the connection's address."""
    client = client_of(data_dir)
    body = {
        "kind": kind.value, "every": every, "weekday": weekday, "hour": hour, "time_zone": time_zone,
        "days": days,
    }  # fmt: skip
    client.send("PUT", f"{connection_path(client, connection)}/report-schedules", body)
    echo_text(f"{kind.value}: {'not scheduled' if every == 'never' else f'every {every}'}")


@app.command("send-to")
def send_reports_to(
    url: Annotated[str, typer.Argument(help="https://…, or `nowhere`")],
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Have scheduled reports sent to an address, and print the secret that signs them, once."""
    client = client_of(data_dir)
    path = f"{connection_path(client, connection)}/report-address"
    if url == "nowhere":
        client.send("DELETE", path)
        echo_text("Reports are kept, and sent nowhere.")
        return
    echo_text(f"Secret (shown once): {client.send('PUT', path, {'url': url})['secret']}")
