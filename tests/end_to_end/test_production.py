"""As in production: many processes of each role on one PostgreSQL, killed while all kinds of load go on."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.http_client import AsyncClient, HTTPError, tls_context
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_ledger import DeliveryLedger, read_ledger
from pagerduty_simulator.events import Event
from pagerduty_simulator.reference_fold import expected_state
from pagerduty_simulator.storms import random_storm, with_duplicates_and_disorder
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.accounts import Books, disordered, doubled, lost, settled_books, wrong
from tests.support.builders import SECRET, an_event, body_of, headers_for, new_id
from tests.support.chance import repeatable
from tests.support.chaos import Weather, publish_evenly, rage
from tests.support.crashing_postgresql import CrashingPostgres, crashing_postgresql
from tests.support.doors import make_webhook
from tests.support.eventually import eventually
from tests.support.fleet import DATABASE, Fleet, running_fleet
from tests.support.parts import Parts
from tests.support.patience import ANSWER, STORY
from tests.support.system import Json, System, running_system
from tests.support.worker_processes import TEST_KEYS

CLOCK_SPEED = 100.0
READERS = 4


@dataclass(frozen=True, slots=True)
class Day:
    """How much happens in how many seconds, and what is killed meanwhile."""

    events: int
    incidents: int
    notes: int
    weather: Weather


#: Ten minutes: every process is killed three times, the database fails over twice, a few are frozen.
LONG = Day(
    events=3_000,
    incidents=400,
    notes=300,
    weather=Weather(
        seconds=600,
        crashes={
            **dict.fromkeys(("door-1", "door-2", "api-1", "api-2", "forwarder-1", "forwarder-2"), 3),
            **dict.fromkeys(("worker-1", "worker-2", "worker-3"), 3),
            DATABASE: 2,
        },
        longest_crash_seconds=3.0,
        outages=(("freeze", "worker-2", 20.0), ("freeze", "forwarder-1", 20.0), ("freeze", "door-2", 8.0)),
    ),
)


@pytest.fixture(scope="module")
def server() -> Iterator[CrashingPostgres]:
    with crashing_postgresql() as found:
        yield found


@pytest.fixture
def database_url(server: CrashingPostgres) -> str:
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as found:
        found.migrate()
        yield found


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    """The database with a connection to a simulated account; all that serves runs as processes of its own."""
    async with running_system(parts, working=False) as found:
        yield found


@pytest.fixture
async def fleet(
    system: System,
    server: CrashingPostgres,
    database_url: str,
    temporal_server: TemporalDevServer,
    tmp_path: Path,
) -> AsyncIterator[Fleet]:
    settings = system.ingress.services.settings
    environment = {
        "CALMO_DATA_DIR": str(tmp_path),
        "CALMO_DATABASE_URL": database_url,
        "CALMO_ENCRYPTION_KEYS": TEST_KEYS,
        "CALMO_TASK_QUEUE": settings.task_queue,
        "CALMO_SIMULATOR_URL": str(settings.simulator_url),
        "CALMO_GATHER_CONTEXT": "false",
        "CALMO_CONFIRM_AFTER": "PT5S",
        "TEMPORAL_ADDRESS": temporal_server.address,
    }
    async with running_fleet(tmp_path, environment, server) as found:
        yield found


@dataclass
class Callers:
    """Clients of the API: each asks again, elsewhere, until it has its answer."""

    system: System
    fleet: Fleet
    http: AsyncClient
    calls: dict[str, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: repeatable(7))

    async def note(self, number: int, incident_id: str) -> None:
        """Write a note to PagerDuty, with a key that makes it the same call however often it is asked for."""
        body = {
            "connection": self.system.connection_id,
            "idempotency_key": f"note-{number}",
            "wait_seconds": 0,
            "arguments": {"incident_id": incident_id, "content": f"Note {number}."},
        }

        async def ask() -> str | None:
            answer = await self._request("POST", "/api/tools/add_incident_note", body)
            return None if answer is None else str(answer["call_id"])

        self.calls[f"Note {number}."] = str(await eventually(ask, within=STORY))

    async def read_on(self) -> None:
        """Read issues and the audit, again and again."""
        while True:
            await self._request("GET", "/api/issues?limit=50")
            await self._request("GET", "/api/audit?limit=50")

    async def state(self, call_id: str) -> str:
        async def ask() -> Json | None:
            return await self._request("GET", f"/api/tool-calls/{call_id}")

        return str((await eventually(ask, bool, STORY) or {})["state"])

    async def _request(self, method: str, path: str, body: Json | None = None) -> Json | None:
        """Return what one of the APIs answers; None if it can't now."""
        name = self.chance.choice(self.fleet.of_role("api"))
        try:
            answer = await self.http.request(
                method, f"{self.fleet.url(name)}{path}", headers=dict(self.system.headers), json=body
            )
        except HTTPError:
            self.answers[0] += 1
            return None
        self.answers[answer.status_code] += 1
        assert answer.status_code < 300 or answer.status_code == 503, answer.text
        found: Json | None = answer.json() if answer.status_code < 300 else None
        return found


@pytest.mark.torture
async def test_ten_minutes_of_load_and_kills_lose_double_and_block_nothing(
    system: System, fleet: Fleet, tmp_path: Path
) -> None:
    day, seed = LONG, 7
    begun = datetime.now(UTC)
    told = random_storm(seed, day.incidents, day.events, begins_at=begun - timedelta(hours=1))
    ledger = DeliveryLedger(tmp_path / "ledger.jsonl")
    sender = WebhookSender(clock=ScaledClock(CLOCK_SPEED), seed=seed, ledger=ledger)
    webhook = make_webhook(system.database, system.keyring)
    sender.subscribe(f"{fleet.balanced}/webhooks/pagerduty/{webhook}", SECRET.decode())
    try:
        async with AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:
            callers = Callers(system, fleet, http)
            deadlocks = await _busy_day(day, seed, told, sender, callers)
            await sender.drained(STORY)
            books = _of_the_storm(await settled_books(system.database), told)
            await _all_notes_done(callers)
            fleet.check_all_run()
            await _each_process_works(callers, webhook)
            deadlocks += await system.database.read(_deadlocks)
    finally:
        await sender.aclose()
    print(f"{fleet.kills} kills; the API answered {dict(callers.answers)}")  # noqa: T201 - shown with a failure
    acknowledged = read_ledger(tmp_path / "ledger.jsonl").acknowledged
    assert set(acknowledged) == {event.id for event in told}
    assert (lost(books, acknowledged), doubled(books)) == (set(), set())
    assert (wrong(books, expected_state(told)), disordered(books, told)) == ({}, [])
    # A comparison with PagerDuty tells of the incidents that notes were written on: those are applied too.
    assert (set(books.states), books.dead_letters) == ({"applied"}, 0)
    assert _notes(system) == Counter(callers.calls.keys())
    assert deadlocks == 0


async def _busy_day(
    day: Day, seed: int, told: Sequence[Event], sender: WebhookSender, callers: Callers
) -> int:
    """Let everything happen at once; return the deadlocks that were counted before each failover."""
    arriving = with_duplicates_and_disorder(told, seed, duplicate_share=0.1, disorder_share=0.1)
    fleet, counted = callers.fleet, [0]

    class Counting:
        """The fleet, where the database's figures are read before it crashes and forgets them."""

        async def crash(self, name: str, seconds: float) -> None:
            if name == DATABASE:
                counted[0] += await callers.system.database.read(_deadlocks)
            await fleet.crash(name, seconds)

        async def freeze(self, name: str, seconds: float) -> None:
            await fleet.freeze(name, seconds)

    readers = [asyncio.create_task(callers.read_on()) for _ in range(READERS)]
    try:
        async with asyncio.TaskGroup() as all_at_once:
            all_at_once.create_task(publish_evenly(sender, arriving, day.weather.seconds))
            all_at_once.create_task(_write_notes(callers, day))
            all_at_once.create_task(rage(Counting(), day.weather.blows(seed)))
    finally:
        for reader in readers:
            reader.cancel()
        ended = await asyncio.gather(*readers, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
    return counted[0]


async def _write_notes(callers: Callers, day: Day) -> None:
    """Ask for notes at an even pace, each on the next of ten incidents, done or not."""
    incidents = [callers.system.an_incident() for _ in range(10)]
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as asking:
        for number in range(day.notes):
            await asyncio.sleep(begun + day.weather.seconds * number / day.notes - loop.time())
            asking.create_task(callers.note(number, incidents[number % len(incidents)]))


def _of_the_storm(books: Books, told: Sequence[Event]) -> Books:
    """Return the books without the incidents that notes were written on: PagerDuty told nothing of them."""
    incidents = {event.incident_id for event in told}
    return replace(books, issues=tuple(issue for issue in books.issues if issue.incident_id in incidents))


async def _all_notes_done(callers: Callers) -> None:
    async def states() -> Counter[str]:
        return Counter([await callers.state(call_id) for call_id in callers.calls.values()])

    await eventually(states, lambda found: set(found) == {"done"}, STORY)


async def _each_process_works(callers: Callers, webhook: str) -> None:
    """With each process as the only one of its role, an event is applied and a note written."""
    incident, fleet = callers.system.an_incident(), callers.fleet
    address = f"{fleet.balanced}/webhooks/pagerduty/{webhook}"
    for number, name in enumerate(fleet.programs):
        async with fleet.only(name):
            body = body_of(an_event("incident.triggered", new_id()))
            answer = await callers.http.post(address, content=body, headers=headers_for(body))
            assert answer.status_code == 202, (name, answer.text)
            await callers.note(10_000 + number, incident)
            await settled_books(callers.system.database)
            await _all_notes_done(callers)
        await fleet.until_ready()


def _notes(system: System) -> Counter[str]:
    """Return PagerDuty's notes, by their first lines."""
    incidents = system.account.incidents.values()
    return Counter(note.content.split("\n")[0] for incident in incidents for note in incident.notes)


def _deadlocks(transaction: sa.Connection) -> int:
    counted = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(transaction.execute(counted).scalar_one())
