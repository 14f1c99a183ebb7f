"""The command line beside a running service, and what it says when something is wrong."""

import asyncio
import json
import socket
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from pydantic import SecretStr
from typer.testing import CliRunner

from bootstrap.store import open_store
from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.settings import Settings
from ingress.cli import app, run
from tests.support.builders import an_event, new_id
from tests.support.eventually import eventually
from tests.support.patience import ANSWER
from tests.support.up_process import CALMO, UpProcess, calmo, deliver, environment_with


async def an_issue(service: UpProcess, webhook_url: str, secret: bytes, *more: EventType) -> str:
    """Deliver an incident's events; return the incident's id once it is an issue with all of them."""
    incident = new_id()
    wanted = (EventType.TRIGGERED, *more)
    for event_type in wanted:
        assert await deliver(webhook_url, an_event(event_type, incident), secret) == 202

    async def is_there() -> bool:
        found = [issue for issue in await service.issues() if issue["incident_id"] == incident]
        return bool(found) and found[0]["last_event_type"] == wanted[-1]

    await eventually(is_there)
    return incident


def folder_of(service: UpProcess) -> tuple[str, str]:
    return "--data-dir", str(service.folder)


async def test_a_created_webhook_takes_signed_deliveries_and_they_become_an_issue(
    service: UpProcess, webhook_secret: bytes
) -> None:
    made = await service.calmo(
        "webhook",
        "create",
        "--scope",
        "organization:acme",
        "--secret-stdin",
        "--json",
        *folder_of(service),
        stdin=webhook_secret,
    )
    webhook = json.loads(made.output)
    assert webhook["url"].endswith(f"/webhooks/pagerduty/{webhook['id']}")
    incident = await an_issue(service, webhook["url"], webhook_secret, EventType.ACKNOWLEDGED)
    listed = await service.calmo("issues", "list", "--incident", incident, "--json", *folder_of(service))
    (issue,) = json.loads(listed.output)["issues"]
    assert (issue["incident_id"], issue["status"]) == (incident, "acknowledged")
    assert issue["scope"] == "organization:acme"


async def test_the_first_api_key_is_private_and_opens_the_api(service: UpProcess) -> None:
    assert stat.S_IMODE((service.folder / "api_key").stat().st_mode) == 0o600
    async with (
        service.api() as api,
        httpx.AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as stranger,
    ):
        assert (await api.get("/api/issues")).status_code == 200
        assert (await stranger.get(f"{service.url}/api/issues")).status_code == 401


async def test_the_only_service_is_found_from_anywhere_without_naming_its_folder(
    service: UpProcess, webhook_url: str, webhook_secret: bytes
) -> None:
    incident = await an_issue(service, webhook_url, webhook_secret)
    listed = await service.calmo("issues", "list", "--incident", incident)
    assert listed.status == 0
    assert incident in listed.output


async def test_an_issue_is_shown_with_its_timeline(
    service: UpProcess, webhook_url: str, webhook_secret: bytes
) -> None:
    incident = await an_issue(service, webhook_url, webhook_secret, EventType.RESOLVED)
    for_people = await service.calmo("issues", "show", incident, *folder_of(service))
    for_programs = await service.calmo("issues", "show", incident, "--json", *folder_of(service))
    for words in ("resolved", "triggered", "Timeline", "Robin Reyes"):
        assert words in for_people.output
    kinds = [entry["event_type"] for entry in json.loads(for_programs.output)["timeline"]]
    assert kinds == [EventType.TRIGGERED, EventType.RESOLVED]


async def test_watch_prints_each_change_as_one_json_object_a_line_as_it_happens(
    service: UpProcess, webhook_url: str, webhook_secret: bytes
) -> None:
    watching = await asyncio.create_subprocess_exec(
        CALMO,
        "issues",
        "watch",
        "--json",
        "--after",
        "0",
        *folder_of(service),
        stdout=asyncio.subprocess.PIPE,
        env=service.environment,
    )
    assert watching.stdout is not None
    try:
        incident = await an_issue(service, webhook_url, webhook_secret)
        async with asyncio.timeout(ANSWER):
            while True:
                change = json.loads(await watching.stdout.readline())
                if change["issue"]["incident_id"] == incident:
                    break
        assert change["event_types"] == [EventType.TRIGGERED]
        assert change["status"] == "triggered"
    finally:
        watching.kill()
        await watching.communicate()


@pytest.mark.parametrize(
    ("key", "said"), [("calmo_wrong", "401"), ("clé", "not allowed"), ("two\nlines", "not allowed")]
)
async def test_a_wrong_key_is_one_clear_line(service: UpProcess, key: str, said: str) -> None:
    answer = await service.calmo("issues", "list", *folder_of(service), CALMO_API_KEY=key)
    assert answer.one_clear_line, answer
    assert said in answer.errors


async def test_an_unknown_issue_is_one_clear_line(service: UpProcess) -> None:
    answer = await service.calmo("issues", "show", "iss_unknown", *folder_of(service))
    assert answer.one_clear_line, answer
    assert "404" in answer.errors


async def test_a_second_up_on_the_same_folder_is_one_clear_line(service: UpProcess) -> None:
    second = UpProcess(service.folder, service.state, service.environment)
    answer = await service.calmo("up", *second.options)
    assert answer.one_clear_line, answer
    assert str(service.folder) in answer.errors
    assert await service.issues() is not None, "the first one goes on"


@pytest.mark.parametrize("option", ["--port", "--temporal-port", "--ui-port"])
async def test_a_taken_port_is_one_clear_line_that_names_the_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = UpProcess(tmp_path / "data", tmp_path, environment_with(tmp_path))
        answer = await calmo("up", *up.options, option, str(port), environment=up.environment)
    assert answer.one_clear_line, answer
    assert option in answer.errors
    assert str(port) in answer.errors


async def test_a_folder_that_cannot_be_written_to_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    up = UpProcess(tmp_path / "file" / "data", tmp_path, environment_with(tmp_path))
    answer = await calmo("up", *up.options, environment=up.environment)
    assert answer.one_clear_line, answer
    assert "--data-dir" in answer.errors


@pytest.mark.parametrize("command", [("issues", "list"), ("issues", "watch")], ids="-".join)
async def test_without_a_running_service_it_is_one_clear_line(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    answer = await calmo(*command, environment=environment_with(tmp_path, CALMO_DATA_DIR=str(tmp_path)))
    assert answer.one_clear_line, answer


async def test_a_database_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    environment = environment_with(tmp_path, CALMO_DATABASE_URL=url, CALMO_DATA_DIR=str(tmp_path))
    answer = await calmo("worker", environment=environment)
    assert answer.one_clear_line, answer
    assert "database" in answer.errors


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////dev/null/calmo.db"])
def test_so_is_every_other_database_that_cannot_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    def start() -> None:
        with open_store(Settings(data_dir=tmp_path, database_url=SecretStr(url))):
            pass

    assert run(start) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("calmo-pagerduty: ")
    assert "database" in line


async def test_closed_standard_input_is_no_secret_and_one_clear_line(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        'exec "$0" webhook create --scope organization:acme --secret-stdin <&-',
        CALMO,
        env=environment_with(tmp_path, CALMO_DATA_DIR=str(tmp_path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await child.communicate()
    assert child.returncode == 1
    assert errors.decode().splitlines() == ["calmo-pagerduty: no signing secret came in on standard input"]


def commands(found: Any, *path: str) -> list[tuple[str, ...]]:
    inner = getattr(found, "commands", {}).items()
    return [path, *(deeper for name, command in inner for deeper in commands(command, *path, name))]


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(app, [*command, "--help"])
    assert answer.exit_code == 0
    assert "Usage:" in answer.output
    explanation = answer.output.split("─")[0].split("[ARGS]...")[-1].split("[OPTIONS]")[-1]
    assert len(explanation.strip()) > 20, "a sentence says what it does"
