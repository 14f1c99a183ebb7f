"""`explain` with a real Temporal: each thing is missing in turn, until the issue is there."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from temporalio.client import Client
from typer.main import get_command

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import explanations, store as deliveries
from calmo_pagerduty.webhooks import store as webhooks
from ingress.app import build_app
from ingress.cli import app
from ingress.forwarding.signal_sender import SignalSender
from pagerduty_simulator.rest.serving import running_server
from tests.support.builders import SECRET, an_event, body_of, headers_for, new_id
from tests.support.doors import make_key, make_webhook
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.system import System, running_system, start_workers
from tests.support.terminal import Terminal

ACME = "organization:acme"


@pytest.fixture
async def idle(parts: Parts) -> AsyncIterator[System]:
    """A service without a worker."""
    async with running_system(parts, working=False) as found:
        yield found


async def why(service: System, incident: str, headers: Any = None) -> tuple[str | None, str | None]:
    """Return what is missing first and the advice."""
    found = await service.get(f"/api/explain/{incident}", headers)
    return found["first_missing"], found["advice"]


async def deliver(service: System, webhook: str, incident: str, secret: bytes = SECRET) -> int:
    body = body_of(an_event("incident.triggered", incident))
    answer = await service.http.post(
        f"/webhooks/pagerduty/{webhook}", content=body, headers=headers_for(body, secret)
    )
    return answer.status_code


async def forward(service: System, temporal: Client) -> None:
    """Send what waits, as the forwarder would."""
    sender = SignalSender(temporal, service.ingress.starter)
    now = datetime.now(UTC)
    for delivery in await service.database.read(lambda t: deliveries.list_pending(t, 0, 100)):
        await sender.send([delivery])
        await service.database.write(lambda t: deliveries.mark_forwarded(t, [delivery.seq], now))


@pytest.mark.each_database
async def test_each_thing_that_is_missing_is_named_until_the_issue_is_there(
    idle: System, temporal: Client, keyring: Keyring
) -> None:
    incident = new_id()
    assert (await why(idle, incident))[0] == "webhook"
    webhook = make_webhook(idle.database, keyring, secret=None, armed=False)
    assert (await why(idle, incident))[0] == "secret"
    now = datetime.now(UTC)
    idle.database.write_blocking(lambda t: webhooks.insert_secret(t, keyring, webhook, SECRET, now))
    assert (await why(idle, incident))[0] == "delivered"
    idle.database.write_blocking(lambda t: webhooks.mark_armed(t, webhook, now))
    other = make_webhook(idle.database, keyring)
    assert await deliver(idle, other, incident, b"another-secret") == 401
    assert (await why(idle, incident))[0] == "authentic"
    assert await deliver(idle, other, incident) == 202
    idle.ingress.services.temporal.hold(None)
    missing, advice = await why(idle, incident)
    assert (missing, "Start Temporal" in str(advice)) == ("forwarded", True)
    idle.ingress.services.temporal.hold(temporal)
    assert (await why(idle, incident))[0] == "forwarded"
    await forward(idle, temporal)
    missing, advice = await why(idle, incident)
    assert (missing, "calmo-pagerduty worker" in str(advice)) == ("worked on", True)
    await start_workers(idle)
    await eventually(lambda: why(idle, incident), lambda found: found[0] is None)
    found = await idle.get(f"/api/explain/{incident}")
    assert found["issue_id"].startswith("iss_")
    assert [step["name"] for step in found["steps"]] == ["applied"]
    stranger = make_key(idle.database, ["deliveries:read"], ["organization:bank"])
    assert await why(idle, incident, stranger) == await why(idle, new_id(), stranger)
    assert (await why(idle, incident, stranger))[0] == "webhook"


@pytest.mark.each_database
async def test_a_terminated_workflow_is_named_with_the_replay_that_mends_it(
    idle: System, temporal: Client, keyring: Keyring
) -> None:
    webhook, incident = make_webhook(idle.database, keyring), new_id()
    await deliver(idle, webhook, incident)
    await forward(idle, temporal)
    [row] = idle.database.read_blocking(lambda t: t.execute(sa.select(tables.deliveries)).all())
    await temporal.get_workflow_handle(f"pd-incident:{incident}:{row.connection_id}").terminate()
    await start_workers(idle)
    found = await eventually(lambda: why(idle, incident), lambda explained: "replay" in str(explained[1]))
    assert found[0] == "worked on"
    assert f"deliveries replay {row.seq}" in str(found[1])


@pytest.mark.each_database
async def test_paused_and_dead_deliveries_are_named(idle: System, keyring: Keyring) -> None:
    webhook, incident = make_webhook(idle.database, keyring, paused_at=datetime.now(UTC)), new_id()
    await deliver(idle, webhook, incident)
    assert (await why(idle, incident))[0] == "accepted"
    dead = tables.deliveries.update().values(state="dead_letter", reason="too strange")
    idle.database.write_blocking(lambda t: t.execute(dead))
    found = await idle.get(f"/api/explain/{incident}")
    assert found["first_missing"] == "understood"
    assert "too strange" in found["steps"][-1]["words"]


@pytest.mark.each_database
@pytest.mark.parametrize("incident", ["Q-1", "a" * 65, "%00", "pd:1"])
async def test_what_no_incident_is_called_is_not_found(idle: System, incident: str) -> None:
    answer = await idle.http.get(f"/api/explain/{incident}", headers=idle.headers)
    assert answer.status_code == 404


async def test_the_command_line_tells_it_and_lists_shows_and_replays(
    service: System, keyring: Keyring
) -> None:
    webhook, incident = make_webhook(service.database, keyring, paused_at=datetime.now(UTC)), new_id()
    async with running_server(build_app(service.ingress), "127.0.0.1", 0) as url:
        terminal = Terminal(url, service)
        nothing = await terminal.run("explain", incident)
        assert (nothing.code, "nothing ever came in" in nothing.text) == (1, True)
        assert "calmo-pagerduty reconcile" in nothing.text
        await deliver(service, webhook, incident)
        held = await terminal.run("explain", incident)
        assert "deliveries replay 1" in held.text
        listed = await terminal.run("deliveries", "list", "--state", "skipped_paused")
        assert incident in listed.text and webhook not in listed.text
        shown = await terminal.run("deliveries", "show", "1")
        assert "Basket service answers slowly" in shown.text
        exported = await terminal.run("deliveries", "export", "--incident", incident)
        assert exported.json["incident_id"] == incident
        refused = await terminal.run("deliveries", "refusals", "--json")
        assert refused.json["refusals"] == []
        none = await terminal.run("deliveries", "replay")
        assert none.code != 0 and "say which" in none.error
        replayed = await terminal.run("deliveries", "replay", "--state", "skipped_paused")
        assert replayed.text == "1 replayed\n"
        again = await terminal.run("deliveries", "replay", "1")
        assert again.text.startswith("0 replayed, 1 left: on_its_way")


async def test_keys_are_made_listed_and_revoked_on_the_command_line(service: System) -> None:
    async with running_server(build_app(service.ingress), "127.0.0.1", 0) as url:
        terminal = Terminal(url, service)
        listed = await terminal.run("api-key", "list")
        assert "everything" in listed.text
        key = service.a_key("issues:read", person="kim")["Authorization"].split("_")[1]
        revoked = await terminal.run("api-key", "revoke", key)
        assert revoked.text.startswith(f"revoked: {key}")
        wrong = await terminal.run("api-key", "revoke", key[::-1])
        assert wrong.code == 1
        endless = await terminal.run("api-key", "create", "--name", "x", "--expires-in", "soon")
        assert endless.code == 1 and "12h, 30d or 8w" in endless.error


def test_every_command_that_an_advice_names_exists() -> None:
    root: Any = get_command(app)
    source = Path(explanations.__file__).read_text()
    named = re.findall(r"`calmo-pagerduty ([a-z][a-z -]*)", source)
    assert len(named) > 8
    for line in named:
        first, *rest = line.split()
        assert first in root.commands, line
        if rest and hasattr(root.commands[first], "commands"):
            assert rest[0] in root.commands[first].commands, line
