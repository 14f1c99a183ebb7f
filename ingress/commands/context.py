"""The command `calmo-pagerduty context INCIDENT_OR_ISSUE`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.clients.requests import ApiProblem
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID, ISSUE_ID
from ingress.commands.instances import client_of
from ingress.commands.options import DATA_DIR
from ingress.commands.output import echo_text, print_json, tell

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]
#: Exit code if the context is not complete yet.
EXIT_INCOMPLETE = 3


def context(
    incident: Annotated[str, typer.Argument(help="A PagerDuty incident's id, or an issue's")],
    refresh: Annotated[bool, typer.Option("--refresh", help="Gather a new version")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the version that is being gathered")] = False,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the newest complete version")] = None,
    connection: Annotated[
        str | None,
        typer.Option(help="Needed only if several connections have an issue of the incident, or none has"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole document as JSON")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown page")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show an incident's context. Exits with 1 if there is none, with 3 if it is not complete yet."""
    client = client_of(data_dir)
    path = f"/api/issues/{_issue_id(client, incident, connection)}/context"
    stream = f"{path}/progress"
    if refresh:
        gathering = _request_context(client, path, incident, connection)
        version, stream = gathering["version"], gathering["links"]["progress"]
    if wait:
        version = version or _get_newest(client, path, incident)["version"]
        version = _wait(client, stream if refresh else f"{stream}?version={version}", version)
    elif refresh:
        tell(f"version {version} is being gathered; to see it: calmo-pagerduty context {incident} --wait")
        raise typer.Exit(EXIT_INCOMPLETE)
    _show(client, path, incident, version, as_json, markdown)


def _issue_id(client: "ApiClient", text: str, connection: str | None) -> str:
    """Return the id of the issue. Raises ApiProblem."""
    if ISSUE_ID.fullmatch(text):
        return text
    if not INCIDENT_ID.fullmatch(text):
        raise ApiProblem(f"{text[:60]!r} is neither an incident's id nor an issue's")
    if connection is not None:
        from calmo_pagerduty.kernel.incident_ref import IncidentRef  # noqa: PLC0415 - imports pydantic

        return IncidentRef(connection_id=connection, incident_id=text).issue_id
    issues: list[Json] = client.list_issues([("incident", text)])["issues"]
    if not issues:
        raise ApiProblem(
            f"there is no issue of the incident {text}; name the --connection to ask PagerDuty as"
        )
    if len(issues) > 1:
        names = ", ".join(issue["connection_id"] for issue in issues)
        raise ApiProblem(f"{text} is an issue of several connections: name the --connection: {names}")
    return str(issues[0]["id"])


def _request_context(client: "ApiClient", path: str, incident: str, connection: str | None) -> Json:
    """Request a new version. With a connection, the incident need not be an issue yet."""
    if connection is not None and not ISSUE_ID.fullmatch(incident):
        path = f"/api/incidents/{quote(incident, safe='')}/context"
        return client.send("POST", path, {"reason": "command line", "connection": connection})
    return client.send("POST", path, {"reason": "command line"})


def _wait(client: "ApiClient", stream: str, version: int) -> int:
    """Wait until the version is complete and return its number. Raises ApiProblem."""
    # Rich's progress bar is slow to import, and only this command needs it.
    from ingress.commands.context_progress import follow  # noqa: PLC0415 - imports httpx and rich

    end = follow(client, stream, version)
    if end["state"] == "late":
        tell(f"version {version} did not begin within a minute: is a worker running?")
        raise typer.Exit(EXIT_INCOMPLETE)
    if end["state"] == "stalled":
        tell(f"version {version} made no progress for long: was it terminated in the Temporal UI? Try again")
        raise typer.Exit(EXIT_INCOMPLETE)
    if end["state"] != "complete":
        raise ApiProblem(f"version {version} could not be put together; the worker's log says why")
    return int(end["version"])


def _show(
    client: "ApiClient", path: str, incident: str, version: int | None, as_json: bool, markdown: bool
) -> None:
    params = [] if version is None else [("version", str(version))]
    try:
        if markdown:
            echo_text(client.text(f"{path}.md", params), nl=False)
            return
        document = client.get(path, params)
    except ApiProblem as problem:
        if problem.status == 404:
            _report_not_started(client, path, incident, version)
        raise
    if as_json:
        print_json(document)
        return
    from ingress.commands.context_view import print_context  # noqa: PLC0415 - imports rich

    print_context(document)


def _get_newest(client: "ApiClient", path: str, incident: str) -> Json:
    """Return the newest version, complete or not. Raises ApiProblem with advice if there is none."""
    try:
        newest: Json = client.get(f"{path}/versions")["versions"][0]
    except ApiProblem as problem:
        if problem.status == 404 and "no context yet" in str(problem):
            command = f"calmo-pagerduty context {incident} --refresh --wait"
            raise ApiProblem(f"it has no context yet; to gather it: {command}") from None
        raise
    return newest


def _report_not_started(client: "ApiClient", path: str, incident: str, version: int | None) -> None:
    """Exit with EXIT_INCOMPLETE if the version is being gathered."""
    newest = _get_newest(client, path, incident)
    if newest["state"] == "gathering" and version in {None, newest["version"]}:
        tell(f"version {newest['version']} is being gathered; to wait for it: --wait")
        raise typer.Exit(EXIT_INCOMPLETE)
