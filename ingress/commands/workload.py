"""The commands `calmo-pagerduty workload …`: fairness, pay, working time, settings and cover."""

import functools
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, emit
from ingress.commands.query_params import query_params

if TYPE_CHECKING:
    from rich.console import RenderableType

    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]
app = typer.Typer(
    no_args_is_help=True, help="Show on-call workload: fairness, pay, working time; ask for cover."
)

NOW = typer.Option("--now", help="The time of the report (UTC). Default: now")
SINCE = typer.Option("--since", help="From this time (UTC) on")
UNTIL = typer.Option("--until", help="Until this time (UTC)")
SCHEDULE = typer.Option("--schedule", help="The schedule's id at PagerDuty")
USER = typer.Option("--user", help="The person's id at PagerDuty")
FORMAT = typer.Option("--format", help="Write a document instead of a table")


class DocumentFormat(StrEnum):
    MARKDOWN = "md"
    HTML = "html"
    CSV = "csv"


class Period(StrEnum):
    PAST = "past"
    FORWARD = "forward"


@app.command("show")
def show(
    period: Annotated[Period, typer.Option(help="Whose plots and CSV to show")] = Period.FORWARD,
    earlier: Annotated[int, typer.Option(min=0, max=6, help="Earlier snapshots that carry debts over")] = 0,
    now: Annotated[datetime | None, NOW] = None,
    format_: Annotated[DocumentFormat | None, FORMAT] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show hours, nights, interruptions, shares and pages, past and planned."""
    params = [("earlier", str(earlier)), *query_params(now=now)]
    if format_ is not None:
        params.append(("period", period.value))
    view = functools.partial(_overview, period=period.value)
    _report(connection, "", params, format_, as_json, data_dir, view)


@app.command("pay")
def pay(
    since: Annotated[datetime | None, SINCE] = None,
    until: Annotated[datetime | None, UNTIL] = None,
    format_: Annotated[DocumentFormat | None, FORMAT] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Compute indicative pay by the published rules, for a past or future time."""
    _report(connection, "/pay", query_params(since=since, until=until), format_, as_json, data_dir, _pay)


@app.command("working-time")
def working_time(
    since: Annotated[datetime | None, SINCE] = None,
    until: Annotated[datetime | None, UNTIL] = None,
    format_: Annotated[DocumentFormat | None, FORMAT] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Check rest and average hours against the published template."""
    params = query_params(since=since, until=until)
    _report(connection, "/working-time", params, format_, as_json, data_dir, _working_time)


@app.command("settings")
def settings(
    draft: Annotated[
        Path | None, typer.Option(help="Draft this JSON or TOML file; - is standard input")
    ] = None,
    drop_draft: Annotated[bool, typer.Option("--drop-draft", help="Drop the draft")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="Put the draft in force")] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show, draft or publish pay rules, working-time template, holidays and rough-night rules."""
    client = client_of(data_dir)
    path = f"{_path(client, connection)}/settings"
    if draft is not None or drop_draft:
        text = None
        if draft is not None:
            text = sys.stdin.read() if str(draft) == "-" else draft.read_text(encoding="utf-8")
        answer = client.send("PUT", f"{path}/draft", {"document": text})
    else:
        answer = client.get(path)
    if publish:
        answer = client.send("POST", f"{path}/publish", {})
    emit(answer, True, str)


@app.command("cover")
def cover(
    schedule: Annotated[str, SCHEDULE],
    user: Annotated[str, USER],
    since: Annotated[datetime, SINCE],
    until: Annotated[datetime, UNTIL],
    ask: Annotated[bool, typer.Option("--ask", help="Ask them; the first acceptance closes it")] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Suggest who could cover a time on call, or parts of it; the least loaded first."""
    client = client_of(data_dir)
    query = {"schedule": schedule, "user": user, **dict(query_params(since=since, until=until))}
    path = connection_path(client, connection)
    if ask:
        emit(client.send("POST", f"{path}/cover-requests", query), as_json, _request)
        return
    emit(client.get(f"{path}/cover", tuple(query.items())), as_json, _suggestion)


@app.command("cover-requests")
def cover_requests(
    state: Annotated[str | None, typer.Option(help="open, accepted, declined, withdrawn or expired")] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List requests for cover."""
    client = client_of(data_dir)
    params = () if state is None else (("state", state),)
    path = f"{connection_path(client, connection)}/cover-requests"
    emit(client.get(path, params), as_json, _requests)


@app.command("cover-answer")
def cover_answer(
    request: Annotated[str, typer.Argument(help="The request's id")],
    answer: Annotated[str, typer.Argument(help="accept, decline or withdraw")],
    user: Annotated[str | None, typer.Option(help="For whom, if not for the key's own person")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Accept, decline or withdraw. An acceptance files an override, which may wait for an approval."""
    body = {"answer": answer, "user_id": user}
    path = f"/api/cover-requests/{quote(request, safe='')}/answer"
    emit(client_of(data_dir).send("POST", path, body), as_json, _request)


def _report(
    connection: str | None,
    part: str,
    params: list[tuple[str, str]],
    format_: DocumentFormat | None,
    as_json: bool,
    data_dir: Path | None,
    view: Any,
) -> None:
    client = client_of(data_dir)
    path = f"{_path(client, connection)}{part}"
    if format_ is not None:
        echo_text(client.text(f"{path}/document", (*params, ("format", format_.value))), nl=False)
        return
    emit(client.get(path, tuple(params)), as_json, view)


def _path(client: "ApiClient", connection: str | None) -> str:
    return f"{connection_path(client, connection)}/workload"


def _overview(answer: Json, period: str) -> "RenderableType":
    # rich and the plots are imported when there is something to show.
    from ingress.commands.workload_view import overview  # noqa: PLC0415 - imports rich

    return overview(answer, period)


def _pay(answer: Json) -> "RenderableType":
    from ingress.commands.workload_view import pay_view  # noqa: PLC0415 - imports rich

    return pay_view(answer)


def _working_time(answer: Json) -> "RenderableType":
    from ingress.commands.workload_view import working_time_view  # noqa: PLC0415 - imports rich

    return working_time_view(answer)


def _suggestion(answer: Json) -> "RenderableType":
    from ingress.commands.workload_view import suggestion_view  # noqa: PLC0415 - imports rich

    return suggestion_view(answer)


def _request(answer: Json) -> "RenderableType":
    return _requests({"requests": [answer]})


def _requests(answer: Json) -> "RenderableType":
    from ingress.commands.workload_view import requests_view  # noqa: PLC0415 - imports rich

    return requests_view(answer)
