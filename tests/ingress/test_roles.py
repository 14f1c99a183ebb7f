"""The roles of an ingress process: what each serves, and that what one stores another forwards at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest

from bootstrap.services import Services
from bootstrap.store import OpenStore
from calmo_pagerduty.access.permissions import METRICS_READ
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.settings import Settings
from ingress.app import build_app
from ingress.door import DoorParts
from ingress.forwarding import inbox_reader
from ingress.parts import Ingress
from ingress.roles import Role
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.doors import Doorway, make_key
from tests.support.eventually import eventually
from tests.support.patience import PROGRAM, STORY

#: A path of each part of the ingress, and the status that says that it is served.
SERVED = {"/webhooks/pagerduty/x": 405, "/api/issues": 401, "/mcp": 401, "/readyz": 200, "/metrics": 401}
PARTS_OF_ROLE = {
    Role.ALL: set(SERVED),
    Role.API: set(SERVED),
    Role.DOOR: {"/webhooks/pagerduty/x", "/readyz", "/metrics"},
    Role.FORWARDER: {"/readyz", "/metrics"},
}


@pytest.fixture
def store(database: Database, keyring: Keyring, tmp_path: Path) -> OpenStore:
    return OpenStore(Settings(data_dir=tmp_path), database, keyring)


@pytest.fixture
def another_database(migrated_url: str) -> Iterator[Database]:
    """The same database, as another process sees it."""
    with closing(Database(migrated_url)) as found:
        yield found


@asynccontextmanager
async def served(store: OpenStore, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    app = DoorParts(store).app() if role is Role.DOOR else build_app(Ingress(Services.of(store)), role)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door.test") as client:
        yield client


@pytest.mark.parametrize("role", Role)
async def test_a_process_serves_the_parts_of_its_role_and_nothing_else(store: OpenStore, role: Role) -> None:
    async with served(store, role) as client:
        answers = {path: (await client.get(path)).status_code for path in SERVED}
    found = {path for path, status in answers.items() if status == SERVED[path]}
    assert found == PARTS_OF_ROLE[role], answers
    assert {answers[path] for path in set(SERVED) - found} <= {404}


async def test_a_door_is_ready_without_temporal_and_counts_what_it_took(
    store: OpenStore, doorway: Doorway
) -> None:
    webhook, body = doorway.a_webhook(), body_of(an_event("incident.triggered", new_id()))
    async with served(store, Role.DOOR) as client:
        ready = await client.get("/readyz")
        taken = await client.post(f"/webhooks/pagerduty/{webhook}", content=body, headers=headers_for(body))
        metrics = await client.get("/metrics", headers=make_key(store.database, [METRICS_READ]))
    assert ready.json() == {"ready": True, "database": "ok", "temporal": "not needed"}
    assert taken.status_code == 202
    assert 'calmo_deliveries_total{verdict="accepted"} 1.0' in metrics.text


@pytest.mark.each_database
async def test_what_a_door_takes_in_is_forwarded_without_a_scan_by_the_process_that_leads(
    door_to_temporal: Doorway,
    another_database: Database,
    keyring: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_reader, "RESCAN_SECONDS", STORY)
    leading, webhook = door_to_temporal, door_to_temporal.a_webhook()

    async def states() -> set[str]:
        return {row.state for row in leading.kept()}

    async def take_in(client: httpx.AsyncClient) -> None:
        body = body_of(an_event("incident.triggered", new_id()))
        answer = await client.post(f"/webhooks/pagerduty/{webhook}", content=body, headers=headers_for(body))
        assert answer.status_code == 202

    taker = leading.ingress.journal_taker
    loops = [leading.ingress.forwarder.run(), *([taker.run()] if taker else [])]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        async with served(
            OpenStore(Settings(data_dir=tmp_path), another_database, keyring), Role.DOOR
        ) as door:
            for _ in range(3):
                await take_in(door)
                await eventually(states, lambda found: found == {"forwarded"})
    finally:
        for task in tasks:
            task.cancel()
        _, running = await asyncio.wait(tasks, timeout=PROGRAM)
        assert not running
