"""calmo-pagerduty context INCIDENT_OR_ISSUE."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.clients.requests import ApiProblem
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID, ISSUE_ID
from ingress.commands.instances import client_of
from ingress.commands.options import DATA_DIR

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

Json = dict[str, Any]
#: It is not there yet: neither shown nor failed.
EXIT_INCOMPLETE = 3


def context(
    incident: Annotated[str, typer.Argument(help="A PagerDuty incident's id, or an issue's")],
    refresh: Annotated[bool, typer.Option("--refresh", help="Have a new version gathered")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the version that is being gathered")] = False,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the newest that is complete")] = None,
    connection: Annotated[
        str | None, typer.Option(help="Needed only if the incident is an issue of several, or none yet")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with the whole document")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Answer with a markdown page")] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show an incident's context. Ends with 1 if there is none, with 3 if it isn't complete yet."""
    client = client_of(data_dir)
    path = f"/api/issues/{_issue_id(client, incident, connection)}/context"
    stream = f"{path}/progress"
    if refresh:
        begun = _request_context(client, path, incident, connection)
        version, stream = begun["version"], begun["links"]["progress"]
    if wait:
        version = version or _get_newest(client, path, incident)["version"]
        version = _wait(client, stream if refresh else f"{stream}?version={version}", version)
    elif refresh:
        _print_progress(
            f"version {version} is being gathered; to see it: calmo-pagerduty context {incident} --wait"
        )
        raise typer.Exit(EXIT_INCOMPLETE)
    _show(client, path, incident, version, as_json, markdown)


def _issue_id(client: "ApiClient", text: str, connection: str | None) -> str:
    """Raises ApiProblem."""
    if ISSUE_ID.fullmatch(text):
        return text
    if not INCIDENT_ID.fullmatch(text):
        raise ApiProblem(f"{text[:60]!r} is neither an incident's id nor an issue's")
    if connection is not None:
        from calmo_pagerduty.kernel.incident_ref import IncidentRef  # noqa: PLC0415 - slow, by pydantic

        return IncidentRef(connection_id=connection, incident_id=text).issue_id
    found: list[Json] = client.list_issues([("incident", text)])["issues"]
    if not found:
        raise ApiProblem(
            f"there is no issue of the incident {text}; name the --connection to ask PagerDuty as"
        )
    if len(found) > 1:
        names = ", ".join(issue["connection_id"] for issue in found)
        raise ApiProblem(f"{text} is an issue of several connections: name the --connection: {names}")
    return str(found[0]["id"])


def _request_context(client: "ApiClient", path: str, incident: str, connection: str | None) -> Json:
    """Have a version gathered. An incident that is no issue yet is asked for by its connection."""
    if connection is not None and not ISSUE_ID.fullmatch(incident):
        path = f"/api/incidents/{quote(incident, safe='')}/context"
        return client.send("POST", path, {"reason": "command line", "connection": connection})
    return client.send("POST", path, {"reason": "command line"})


def _wait(client: "ApiClient", stream: str, version: int) -> int:
    """Return the version that is complete now. Raises ApiProblem."""
    # Rich's bar takes a moment to import, which no other command should wait for.
    from ingress.commands.context_progress import follow  # noqa: PLC0415 - slow

    end = follow(client, stream, version)
    if end["state"] == "late":
        _print_progress(f"version {version} was not begun for a minute: is a worker running?")
        raise typer.Exit(EXIT_INCOMPLETE)
    if end["state"] == "stalled":
        _print_progress(
            f"nothing was heard of version {version} for long: was it ended in the Temporal UI? Ask again"
        )
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
            typer.echo(client.text(f"{path}.md", params), nl=False)
            return
        document = client.get(path, params)
    except ApiProblem as problem:
        if problem.status == 404:
            _report_not_started(client, path, incident, version)
        raise
    if as_json:
        typer.echo(json.dumps(document))
        return
    from ingress.commands.context_view import print_context  # noqa: PLC0415 - slow

    print_context(document)


def _get_newest(client: "ApiClient", path: str, incident: str) -> Json:
    """Return the newest version, complete or not. Raises ApiProblem, saying what to do if there is none."""
    try:
        newest: Json = client.get(f"{path}/versions")["versions"][0]
    except ApiProblem as problem:
        if problem.status == 404 and "no context yet" in str(problem):
            words = f"calmo-pagerduty context {incident} --refresh --wait"
            raise ApiProblem(f"it has no context yet; to have one gathered: {words}") from None
        raise
    return newest


def _report_not_started(client: "ApiClient", path: str, incident: str, version: int | None) -> None:
    """Say that a version which isn't there yet is being gathered."""
    newest = _get_newest(client, path, incident)
    if newest["state"] == "gathering" and version in {None, newest["version"]}:
        _print_progress(f"version {newest['version']} is being gathered; to wait for it: --wait")
        raise typer.Exit(EXIT_INCOMPLETE)


def _print_progress(words: str) -> None:
    sys.stderr.write(f"{words}\n")
