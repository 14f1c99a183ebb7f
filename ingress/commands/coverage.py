"""The commands `calmo-pagerduty coverage` and `calmo-pagerduty readiness`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calmo_pagerduty.clients.requests import ApiProblem
from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import print_json
from ingress.commands.query_params import query_params

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

DAYS = typer.Option(min=1, max=90, help="How many days to look ahead")
NOW = typer.Option("--now", help="Look ahead from this time (UTC). Default: now")
AWAY = typer.Option("--away", help="A person's calendar, as USER_ID=FILE.ics: show duties while away")
#: Exit code if somebody might not be paged.
EXIT_FOUND = 1


def coverage(
    days: Annotated[int, DAYS] = 30,
    schedule: Annotated[str | None, typer.Option(help="Only this schedule, by id")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this escalation policy, by id")] = None,
    service: Annotated[str | None, typer.Option(help="Only this service, by id")] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Show all schedules with their people")] = False,
    away: Annotated[list[str] | None, AWAY] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show where nobody would be paged, why, and what it costs. Exits with 1 if a policy has a gap."""
    client = client_of(data_dir)
    params = query_params(
        now=now, as_of=as_of, days=str(days), schedule=schedule, policy=policy, service=service,
        lanes=None if as_json else "true",
    )  # fmt: skip
    report = client.get(_path(client, connection, "coverage"), params)
    if away:
        times = dict(query_params(now=now, as_of=as_of))
        body = {**times, "days": days, "calendars": [_calendar(text) for text in away]}
        report |= client.send("POST", _path(client, connection, "coverage/conflicts"), body)
    if as_json:
        print_json(report)
    else:
        from ingress.commands.coverage_view import print_coverage  # noqa: PLC0415 - imports rich

        print_coverage(report, grid)
    raise typer.Exit(EXIT_FOUND if any(row["gap_count"] for row in report["policies"]) else 0)


def readiness(
    days: Annotated[int, DAYS] = 30,
    service: Annotated[str | None, typer.Option(help="Now and next of this service only, by id")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Your zone. Default: the account's")] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show who is on call now and next, and who can be paged on what. Exits with 1 if somebody can't be."""
    client = client_of(data_dir)
    people = client.get(
        _path(client, connection, "readiness"), query_params(now=now, as_of=as_of, days=str(days))
    )
    services = client.get(
        _path(client, connection, "now-next"),
        query_params(now=now, as_of=as_of, service=service, time_zone=time_zone),
    )
    if as_json:
        print_json({"readiness": people, "now_next": services})
    else:
        from ingress.commands.coverage_view import print_readiness  # noqa: PLC0415 - imports rich

        print_readiness(people, services)
    red = ("not_reachable", "never_paged", "email_only")
    raise typer.Exit(EXIT_FOUND if any(people["counts"][state] for state in red) else 0)


def _calendar(text: str) -> dict[str, str]:
    """Return the calendar of `USER_ID=FILE`. Raises ApiProblem."""
    user, is_given, file = text.partition("=")
    if not is_given:
        raise ApiProblem(f"--away takes USER_ID=FILE.ics, not {text[:60]!r}")
    try:
        return {"user": user, "text": Path(file).read_text(encoding="utf-8", errors="replace")}
    except OSError as error:
        raise ApiProblem(f"the calendar {file[:200]!r} can't be read: {error.strerror}") from None


def _path(client: "ApiClient", connection: str | None, name: str) -> str:
    return f"{connection_path(client, connection)}/{name}"
