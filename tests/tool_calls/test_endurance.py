"""What a call leaves behind and what it outlives: crashes, a Temporal that forgot, secrets, a rotation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.tools import sweeper as tool_call_sweeper
from tests.support.connected import TOKEN
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.system import System, running_system, start_workers
from tests.support.tool_callers import until_state

RISKY = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))


@pytest.fixture
async def idle(parts: Parts) -> AsyncIterator[System]:
    """A service whose worker is away."""
    async with running_system(parts, working=False) as found:
        yield found


async def test_a_call_outlives_that_no_worker_is_there(idle: System, temporal: Client) -> None:
    incident = idle.an_incident()
    answer = await idle.call("resolve_incident", incident_id=incident, wait_seconds=0.2)
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    await start_workers(idle)
    await until_state(idle, answer.json()["call_id"], "done")
    assert idle.site.account.incident(incident).status == "resolved"


async def test_an_approval_outlives_the_worker(idle: System, temporal: Client) -> None:
    idle.permit(RISKY)
    place = next(iter(idle.site.account.services))
    alice, bob = idle.a_key(person="alice"), idle.a_key(person="bob")
    ticket = (await idle.call("create_incident", alice, title="By hand", service_id=place)).json()
    await start_workers(idle)
    await asyncio.sleep(0)
    await idle.workers.aclose()
    await start_workers(idle)
    approved = await idle.http.post(
        f"/api/tool-calls/{ticket['call_id']}/approve", json={}, headers=bob, timeout=ANSWER
    )
    assert approved.status_code == 200, approved.text
    await until_state(idle, ticket["call_id"], "done")
    assert len(idle.site.account.incidents) == 1


async def test_a_call_that_temporal_forgot_is_started_again_and_made_once(
    idle: System, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = idle.an_incident()
    note: dict[str, Any] = {"incident_id": incident, "content": "Seen.", "wait_seconds": 0.1}
    ticket = (await idle.call("add_incident_note", **note)).json()
    handle = temporal.get_workflow_handle(tool_call_workflow_id(idle.connection_id, ticket["call_id"]))
    await handle.terminate("as if the engine had lost it")
    await start_workers(idle)
    monkeypatch.setattr(tool_call_sweeper, "OVERDUE_AFTER", timedelta())
    assert await idle.ingress.tool_call_sweeper.sweep_once() == 1
    await until_state(idle, ticket["call_id"], "done")
    assert len(idle.site.account.incident(incident).notes) == 1


async def test_no_secret_and_no_text_of_people_is_in_a_history(service: System, temporal: Client) -> None:
    incident = service.an_incident("TITLE-CANARY")
    key = service.a_key(person="PERSON-CANARY")
    note = await service.call("add_incident_note", key, incident_id=incident, content="NOTE-CANARY")
    failed = await service.call("add_incident_note", key, incident_id="QNOWHERE", content="NOTE-CANARY")
    for answer in (note, failed):
        call = answer.json()
        workflow_id = tool_call_workflow_id(service.connection_id, call["call_id"])
        history = (await temporal.get_workflow_handle(workflow_id).fetch_history()).to_json()
        for secret in (TOKEN, "NOTE-CANARY", "PERSON-CANARY", "TITLE-CANARY", "@lantern-lane.example"):
            assert secret not in history
            assert secret not in workflow_id


async def test_a_token_is_never_shown_and_never_stored_in_plain(service: System, tmp_path: Path) -> None:
    shown = await service.http.get(f"/api/connections/{service.connection_id}", headers=service.headers)
    assert TOKEN not in shown.text
    files = b"".join(file.read_bytes() for file in tmp_path.glob("calmo.db*"))  # noqa: ASYNC240 - what a test reads once
    assert service.connection_id.encode() in files
    assert TOKEN.encode() not in files


async def test_a_token_is_rotated_without_an_outage(service: System) -> None:
    service.site.add_token("another-simulated-token")
    running = [asyncio.create_task(service.call("list_services")) for _ in range(20)]
    path = f"/api/connections/{service.connection_id}/token"
    rotated = await service.http.post(
        path, json={"token": "another-simulated-token"}, headers=service.headers
    )
    assert rotated.status_code == 200, rotated.text
    assert rotated.json()["token_version"] == 2
    assert {answer.status_code for answer in await asyncio.gather(*running)} == {200}
    service.site.revoke_token(TOKEN)
    assert (await service.call("list_services")).status_code == 200
