"""The commands `calmo-pagerduty absences …`: import, list and remove calendars of absences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calmo_pagerduty.clients.requests import ApiProblem
from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, emit, print_json

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

app = typer.Typer(
    no_args_is_help=True, help="Import, list and remove calendars that say when people are away."
)
USER = typer.Argument(help="The person's id at PagerDuty")


@app.command("list")
def list_calendars(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List whose calendar is stored, when they are away next, and how far the calendar was followed."""
    client = client_of(data_dir)
    found = client.get(_path(client, connection))
    if as_json:
        print_json(found)
        return
    for calendar in found["calendars"]:
        echo_text(_line(calendar))
    if found["hidden_calendars"]:
        echo_text(f"{found['hidden_calendars']} calendars of people whom this key may not see")
    if not found["calendars"] and not found["hidden_calendars"]:
        echo_text("no calendar is stored: calmo-pagerduty absences import USER FILE")


@app.command("import")
def import_calendar(
    user: Annotated[str, USER],
    file: Annotated[Path, typer.Argument(help="A calendar as .ics, or .csv with the columns start and end")],
    all_events: Annotated[
        bool, typer.Option("--all-events", help="iCalendar: every event is an absence")
    ] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Store when a person is away, in place of an earlier calendar. Titles are not stored."""
    client = client_of(data_dir)
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ApiProblem(f"the calendar {str(file)[:200]!r} can't be read: {error.strerror}") from None
    body = {"text": text, "all_events": all_events}
    stored = client.send("PUT", f"{_path(client, connection)}/{user}", body)
    emit(stored, as_json, _line)


@app.command("remove")
def remove(
    user: Annotated[str, USER],
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Remove a person's calendar. Nothing of it is kept."""
    client = client_of(data_dir)
    removed = client.send("DELETE", f"{_path(client, connection)}/{user}")
    echo_text("removed" if removed["removed"] else "there was no calendar")


def _path(client: "ApiClient", connection: str | None) -> str:
    return f"{connection_path(client, connection)}/absences"


def _line(calendar: dict[str, Any]) -> str:
    left_out = sum(row["events"] for row in calendar["skipped"])
    note = f", {left_out} events left out" if left_out else ""
    times = ", ".join(f"{away['start'][:16]} to {away['end'][:16]}" for away in calendar["away"][:3])
    more = f" and {calendar['away_count'] - 3} more" if calendar["away_count"] > 3 else ""
    return (
        f"{calendar['user']}: away {calendar['away_count']} times until {calendar['known_until'][:10]}"
        f" (UTC): {times or 'never'}{more}{note}"
    )
