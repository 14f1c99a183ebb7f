"""The database server crashes while PagerDuty is written to: nothing is doubled, lost or forgotten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import leases, tables
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty import retries
from calmo_pagerduty.tools.classes import Risk
from pagerduty_simulator.rest.faults import CUT, TIMEOUT_AFTER, TIMEOUT_BEFORE, Faults
from tests.support.connected import WRITES_ON
from tests.support.crashing_postgresql import CrashingPostgres, crashing_postgresql
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.patience import ANSWER, STORY
from tests.support.system import System, running_system

NOTE = "createIncidentNote"
#: None is a state that could not be read.
ONGOING = (None, "running", "waiting")
WRITES_BETWEEN_CRASHES = 15


class CrashesWhenSilent(Faults):
    """Where PagerDuty doesn't answer, the database server crashes meanwhile."""

    def __init__(self, server: CrashingPostgres) -> None:
        super().__init__()
        self._server = server

    async def hang(self) -> None:
        await asyncio.to_thread(self._server.crash)


@pytest.fixture(scope="module")
def server() -> Iterator[CrashingPostgres]:
    with crashing_postgresql() as found:
        yield found


@pytest.fixture
def database(server: CrashingPostgres) -> Iterator[Database]:
    with closing(Database(server.new_database())) as found:
        found.migrate()
        yield found


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts) as found:
        yield found


def mark(name: str) -> Callable[[Transaction], None]:
    return lambda tx: leases.leave_mark(tx, name, "somebody")


async def crash(server: CrashingPostgres, database: Database) -> None:
    """Crash, and see the writer connect again."""
    await asyncio.to_thread(server.crash)

    async def is_connected() -> bool:
        try:
            await database.write(mark("connected"))
        except StoreUnavailable:
            return False
        return True

    await eventually(is_connected)


async def note(service: System, incident_id: str, **more: Any) -> str:
    """Ask for a note as a client does: again with the same idempotency key while the database is away."""
    body = {"incident_id": incident_id, "content": "Seen.", "idempotency_key": incident_id, **more}

    async def ask() -> str | None:
        answer = await service.call("add_incident_note", wait_seconds=0.1, **body)
        return str(answer.json()["call_id"]) if answer.status_code < 300 else None

    return str(await eventually(ask))


async def state_of(service: System, call_id: str) -> str | None:
    answer = await service.http.get(f"/api/tool-calls/{call_id}", headers=service.headers)
    return str(answer.json()["state"]) if answer.status_code == 200 else None


async def ended(service: System, call_id: str) -> str | None:
    return await eventually(lambda: state_of(service, call_id), lambda state: state not in ONGOING, STORY)


async def test_a_crash_keeps_what_is_durable_and_may_lose_the_rest(
    server: CrashingPostgres, database: Database
) -> None:
    """So the other tests of this file can fail."""

    async def was_kept(durable: bool) -> bool:
        name = f"durable {durable} {server.crashes}"
        await database.write(mark(name), durable=durable)
        await crash(server, database)
        kept = await database.read(lambda tx: tx.execute(sa.select(tables.leases.c.name)).scalars().all())
        return name in kept

    assert await was_kept(durable=True)
    await eventually(lambda: was_kept(durable=False), lambda kept: not kept, STORY)


@pytest.mark.parametrize("kind", [TIMEOUT_BEFORE, TIMEOUT_AFTER])
async def test_a_write_during_which_the_database_crashes_is_done_once(
    service: System, server: CrashingPostgres, kind: str
) -> None:
    incident = service.an_incident()
    service.site.faults = CrashesWhenSilent(server)
    service.site.faults.fail_next(kind, operation=NOTE)
    crashes = server.crashes
    call_id = await note(service, incident)
    assert await ended(service, call_id) == "done"
    assert server.crashes == crashes + 1
    await crash(server, service.database)
    assert await state_of(service, call_id) == "done"
    assert len(service.site.account.incident(incident).notes) == 1
    assert await outcomes(service) == ["begins", "done"]


async def test_a_crash_forgets_no_request_and_no_approval(service: System, server: CrashingPostgres) -> None:
    service.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.MEDIUM})}))
    incident = service.an_incident()
    alice, bob = service.a_key(person="alice"), service.a_key(person="bob")
    call_id = await note(service, incident, headers=alice)
    await crash(server, service.database)
    assert await state_of(service, call_id) == "waiting"
    service.site.faults = CrashesWhenSilent(server)
    service.site.faults.fail_next(TIMEOUT_AFTER, operation=NOTE)
    approved = await service.http.post(
        f"/api/tool-calls/{call_id}/approve", json={}, headers=bob, timeout=ANSWER
    )
    assert approved.status_code == 200, approved.text
    assert await ended(service, call_id) == "done"
    assert len(service.site.account.incident(incident).notes) == 1
    assert await outcomes(service) == ["waits for approval", "approved", "done"]


async def outcomes(service: System) -> list[str]:
    """Verify the audit chain, and return the outcomes that it tells of."""
    assert (await service.get("/api/audit/verification"))["whole"]
    return [record["outcome"] for record in await service.audited()]


@pytest.mark.torture
async def test_a_thousand_writes_are_done_once_through_faults_and_crashes(
    service: System, server: CrashingPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", timedelta(milliseconds=50))
    service.database.write_blocking(
        lambda tx: connections.update_connection(tx, service.connection_id, requests_per_minute=600_000)
    )
    incidents = [service.an_incident(f"Incident {number}") for number in range(1000)]
    kinds = ("429", "500", TIMEOUT_BEFORE, TIMEOUT_AFTER, CUT)
    service.site.faults = Faults(rate=0.3, kinds=kinds, seed=1, hang_seconds=0.05)
    left, finished, crashing = iter(incidents), list[str](), asyncio.Lock()

    async def lane() -> None:
        for incident in left:
            assert await ended(service, await note(service, incident)) == "done"
            finished.append(incident)
            # By progress and not by the clock: on a slow machine no call would end between two crashes.
            if len(finished) % WRITES_BETWEEN_CRASHES == 0:
                async with crashing:
                    await crash(server, service.database)

    await asyncio.gather(*(lane() for _ in range(24)))
    assert server.crashes >= len(incidents) // WRITES_BETWEEN_CRASHES
    counts = Counter(len(service.site.account.incident(incident).notes) for incident in incidents)
    assert counts == {1: 1000}
    assert (await service.get("/api/audit/verification"))["whole"]
