"""The commands `calmo-pagerduty escalation drill…`: name services, hold drills, watch and cancel them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, CONNECTION, DATA_DIR
from ingress.commands.output import emit, tell

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]
POLL_SECONDS = 2.0
BEGINS_WITHIN_SECONDS = 60.0
HTTP_NOT_FOUND = 404
#: The exit code of a drill that shows a difference, or that was not held to its end.
EXIT_DIFFERS = 1
SERVICE = typer.Argument(help="The service's id or name")
DRILL = typer.Argument(help="The drill's id")
WAIT = typer.Option("--wait", help="Watch the drill until it is over. Exits with 1 if something differed")


def add_drill_commands(app: typer.Typer) -> None:
    """Add the commands to the group `escalation`."""
    app.command("drill")(drill)
    app.command("drills")(drills)
    app.command("drill-show")(drill_show)
    app.command("drill-cancel")(drill_cancel)
    app.command("drill-service")(drill_service)


def drill(
    service: Annotated[str, SERVICE],
    watch_minutes: Annotated[
        int, typer.Option(min=1, max=60, help="How long to watch before the drill escalates")
    ] = 5,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask: page the people on call now")] = False,
    wait: Annotated[bool, WAIT] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Hold a drill on a service that was named for drills. It pages the people who are on call now."""
    client = client_of(data_dir)
    if not yes:
        typer.confirm("This pages the people who are on call now. Go on?", abort=True)
    body = {"service": service, "watch_minutes": watch_minutes}
    path = escalation_path(client, connection, "drills")
    started = client.send("POST", path, body)
    if wait:
        _watch(client, f"{path}/{started['drill']}", as_json)
        return
    emit(started, as_json, lambda answer: f"{answer['drill']}: {_how_to_watch(answer['drill'])}")


def drill_show(
    drill: Annotated[str, DRILL],
    wait: Annotated[bool, WAIT] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show whom PagerDuty paged in a drill beside whom the simulation pages, also while it goes on."""
    client = client_of(data_dir)
    path = f"{escalation_path(client, connection, 'drills')}/{quote(drill, safe='')}"
    if wait:
        _watch(client, path, as_json)
        return
    _show(client.get(path), as_json)


def drill_cancel(
    drill: Annotated[str, DRILL],
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Cancel a drill: its incident is resolved at once."""
    client = client_of(data_dir)
    path = f"{escalation_path(client, connection, 'drills')}/{quote(drill, safe='')}"
    answer = client.send("POST", f"{path}/cancel")
    emit(answer, as_json, lambda _: f"{drill} is being cancelled: {_how_to_watch(drill)}")


def drills(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List drills, the newest first, with what differed from the simulation."""
    client = client_of(data_dir)
    found = client.get(escalation_path(client, connection, "drills"))

    def view(answer: Json) -> Any:
        from ingress.commands.drill_view import drills_table  # noqa: PLC0415 - imports rich

        return drills_table(answer)

    emit(found, as_json, view)


def drill_service(
    service: Annotated[str | None, typer.Argument(help="Name this service for drills, by id or name")] = None,
    every_days: Annotated[
        int | None, typer.Option(min=1, max=365, help="Hold a drill so often. Default: on demand")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Hold no more drills on the service")] = False,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Name a service for drills, or list those that were named."""
    client = client_of(data_dir)
    path = escalation_path(client, connection, "drill-services")
    if service is not None and forget:
        client.send("DELETE", f"{path}/{quote(service, safe='')}")
    elif service is not None:
        client.send("POST", path, {"service": service, "every_days": every_days})
    emit(client.get(path), as_json, _services_text)


def escalation_path(client: "ApiClient", connection: str | None, name: str) -> str:
    """Return the path of an endpoint of the connection's escalation."""
    return f"{connection_path(client, connection)}/escalation/{name}"


def _watch(client: "ApiClient", path: str, as_json: bool) -> None:
    """Tell each change until the drill is over, then show it. Exits with EXIT_DIFFERS for a difference."""
    told, began = "", time.monotonic()
    while True:
        drill = _drill_if_begun(client, path, time.monotonic() - began)
        if drill is not None and drill["finished_at"] is not None:
            break
        news = "waiting for a worker to begin" if drill is None else _progress(drill)
        if news != told:
            tell(news)
            told = news
        # A command has nothing else to do meanwhile, and a drill moves by the minute.
        time.sleep(POLL_SECONDS)
    _show(drill, as_json)
    report = drill["report"] or {}
    raise typer.Exit(EXIT_DIFFERS if drill["state"] != "done" or report.get("differences") else 0)


def _drill_if_begun(client: "ApiClient", path: str, waited_seconds: float) -> Json | None:
    """Return the drill; None if no worker has begun it yet. Raises ApiProblem if none does for long."""
    from calmo_pagerduty.clients.requests import ApiProblem  # noqa: PLC0415 - imports httpx

    try:
        found: Json = client.get(path)
    except ApiProblem as problem:
        if problem.status == HTTP_NOT_FOUND and waited_seconds < BEGINS_WITHIN_SECONDS:
            return None
        raise
    return found


def _progress(drill: Json) -> str:
    if drill["waits_for_call"] is not None:
        call = drill["waits_for_call"]
        return f"nobody is paged before an approval: calmo-pagerduty tool approve {call}"
    if drill["opened_at"] is None:
        return "opening the incident"
    report = drill["report"] or {"seen_pages": 0, "expected_pages": 0}
    steps = [word for name, word in _STEPS if drill[name] is not None]
    doing = ", ".join(steps) or "watching"
    return f"{doing}: {report['seen_pages']} pages seen, {report['expected_pages']} were due so far"


_STEPS = (("escalated_at", "escalated"), ("acknowledged_at", "acknowledged"))


def _show(drill: Json, as_json: bool) -> None:
    def view(answer: Json) -> Any:
        from ingress.commands.drill_view import drill_text  # noqa: PLC0415 - imports rich

        return drill_text(answer)

    emit(drill, as_json, view)


def _how_to_watch(drill: str) -> str:
    return f"calmo-pagerduty escalation drill-show {drill} --wait"


def _services_text(answer: Json) -> str:
    lines = [
        f"{row['service']}  {row['service_name'] or '(not in the newest snapshot)'}:"
        f" {_how_often(row['every_days'])}"
        for row in answer["services"]
    ]
    return "\n".join(lines) or "no service was named for drills"


def _how_often(every_days: int | None) -> str:
    return "on demand" if every_days is None else f"every {every_days} days"
