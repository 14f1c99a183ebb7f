"""On SQLite a door commits to its journal, and a forwarder moves that into the inbox: all of it, and once."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bootstrap.store import OpenStore
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import journal_store as journals
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from calmo_pagerduty.deliveries.model import Verdict
from calmo_pagerduty.settings import Settings
from ingress.door import DoorParts
from ingress.forwarding.journal_taker import JournalTaker
from ingress.metrics import Metrics
from tests.support.builders import an_event, body_of, headers_for, new_id, signature_of
from tests.support.doors import deliveries_with_bodies, make_webhook
from tests.support.eventually import eventually
from tests.support.ingress_process import IngressProcess, post, run_ingress
from tests.support.patience import PROGRAM

#: What tells one arrival of a delivery from another.
OF_AN_ARRIVAL = {
    "seq",
    "received_at",
    "delivery_id",
    "webhook_id",
    "connection_id",
    "dedup_key",
    "event_id",
    "facts",
}


@pytest.fixture
def store(database: Database, keyring: Keyring, tmp_path: Path) -> OpenStore:
    return OpenStore(Settings(data_dir=tmp_path), database, keyring)


async def deliver(store: OpenStore, webhook: str, *bodies: bytes) -> list[dict[str, Any]]:
    """Send these bodies to a door, and return its answers."""
    transport = httpx.ASGITransport(app=DoorParts(store).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://door.test") as client:
        path = f"/webhooks/pagerduty/{webhook}"
        answers = [await client.post(path, content=body, headers=headers_for(body)) for body in bodies]
    assert {answer.status_code for answer in answers} <= {202}
    return [answer.json() for answer in answers]


async def take_all(journal: InboxJournal) -> list[Verdict]:
    found: list[Verdict] = []
    while (verdicts := await journal.move()) is not None:
        found += verdicts
    return found


def some_bodies(count: int) -> list[bytes]:
    return [body_of(an_event("incident.triggered", new_id())) for _ in range(count)]


async def test_a_delivery_stands_in_the_inbox_as_if_it_had_not_gone_through_the_journal(
    store: OpenStore,
) -> None:
    # A webhook's first delivery goes into the database at once, because it arms the webhook.
    webhook = make_webhook(store.database, store.keyring, armed=False)
    event = an_event("incident.triggered", new_id())
    again = {"event": event["event"] | {"id": new_id("01EVENT")}}
    await deliver(store, webhook, body_of(event), body_of(again))
    assert await take_all(open_journal_of(store.database)) == [Verdict.ACCEPTED]
    direct, moved = deliveries_with_bodies(store.database)
    of_both = set(direct._mapping) - OF_AN_ARRIVAL - {"body", "body_sha256"}
    assert {name: moved._mapping[name] for name in of_both} == {
        name: direct._mapping[name] for name in of_both
    }
    assert moved.body == body_of(again)
    assert moved.event_id == again["event"]["id"]
    assert moved.received_at > direct.received_at


async def test_what_a_killed_door_answered_for_moves_once_however_often_its_taker_is_killed(
    tmp_path: Path,
) -> None:
    bodies = some_bodies(5)
    with run_ingress(tmp_path, role="door") as door:
        webhook = make_webhook(door.database, door.keyring)
        kill_after_its_answers(door, webhook, bodies)
        assert not deliveries_with_bodies(door.database), "they wait in the journal"
        # Each of these knows no more than a process that has just started, and none of them deletes.
        takers = [open_journal_of(door.database) for _ in range(2)]
        assert await take_all(takers[0]) == [Verdict.ACCEPTED] * 5
        assert await take_all(takers[1]) == []
        assert await take_all(open_journal_of(door.database)) == []
        assert [(row.body, row.duplicates) for row in deliveries_with_bodies(door.database)] == [
            (body, 0) for body in bodies
        ]


async def test_a_take_over_that_dies_before_its_commit_is_done_by_the_next(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(store.database, store.keyring)
    await deliver(store, webhook, *some_bodies(3))

    def die(*_: object) -> None:
        raise RuntimeError("died")

    with monkeypatch.context() as patched:
        patched.setattr(journals, "pass_over", die)
        with pytest.raises(RuntimeError):
            await open_journal_of(store.database).move()
    assert not deliveries_with_bodies(store.database)
    assert len(await take_all(open_journal_of(store.database))) == 3


async def test_repetitions_and_contradictions_are_found_when_deliveries_move(store: OpenStore) -> None:
    webhook = make_webhook(store.database, store.keyring)
    event = an_event("incident.triggered", new_id())
    other = {"event": event["event"] | {"event_type": "incident.resolved"}}
    await deliver(store, webhook, body_of(event), body_of(event), body_of(other))
    metrics = Metrics()
    async with running(JournalTaker(open_journal_of(store.database), metrics, lambda: None)):

        async def verdicts() -> list[tuple[str, int]]:
            return [(row.verdict, row.duplicates) for row in deliveries_with_bodies(store.database)]

        await eventually(verdicts, lambda found: found == [("accepted", 1), ("conflict", 0)])
        await eventually(lambda: left_in(store.database), lambda found: found == 0)
    assert metrics.registry.get_sample_value("calmo_alarms_total", {"kind": "conflict"}) == 1


async def test_what_the_database_refuses_is_set_aside_for_a_while_and_holds_up_nothing(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(store.database, store.keyring)
    first, unknown, last = some_bodies(3)
    await deliver(store, webhook, first, unknown, last)
    with closing(open_file(store.database)) as file:
        file.write_blocking(
            lambda tx: tx.exec_driver_sql(
                "UPDATE journal SET delivery = replace(delivery, ?, 'pd-wh-nobodys') WHERE number = 2",
                (webhook,),
            )
        )
        journal = open_journal_of(store.database)
        assert await take_all(journal) == [Verdict.ACCEPTED, Verdict.DEAD_LETTER, Verdict.ACCEPTED]
        await journal.delete_taken()
        refused = file.read_blocking(
            lambda tx: tx.exec_driver_sql("SELECT body FROM refused").scalars().all()
        )
        assert refused == [unknown]
        monkeypatch.setattr(journals, "REFUSED_KEPT", timedelta(0))
        await journal.delete_taken()
        assert file.read_blocking(count_refused) == 0
    assert [row.body for row in deliveries_with_bodies(store.database)] == [first, last]
    assert await left_in(store.database) == 0


async def test_a_journal_that_was_lost_and_begins_anew_is_taken_from_its_beginning(
    store: OpenStore, tmp_path: Path
) -> None:
    webhook = make_webhook(store.database, store.keyring)
    await deliver(store, webhook, *some_bodies(3))
    assert len(await take_all(open_journal_of(store.database))) == 3
    lose_journal(tmp_path)
    await deliver(store, webhook, *some_bodies(1))
    assert len(await take_all(open_journal_of(store.database))) == 1


async def test_a_journal_from_an_older_backup_uses_no_number_again(store: OpenStore) -> None:
    webhook = make_webhook(store.database, store.keyring)
    await deliver(store, webhook, *some_bodies(3))
    journal = open_journal_of(store.database)
    assert len(await take_all(journal)) == 3
    await journal.delete_taken()
    with closing(open_file(store.database)) as file:
        file.write_blocking(lambda tx: tx.exec_driver_sql("UPDATE sqlite_sequence SET seq = 1"))
    await deliver(store, webhook, *some_bodies(1))
    assert await take_all(open_journal_of(store.database)) == [Verdict.ACCEPTED]


@pytest.mark.each_database
async def test_only_sqlite_has_a_journal(database: Database, kind_of_database: str) -> None:
    assert (InboxJournal.beside(database) is not None) == (kind_of_database == "sqlite")


def count_refused(tx: Transaction) -> int:
    return int(tx.exec_driver_sql("SELECT count(*) FROM refused").scalar_one())


def kill_after_its_answers(door: IngressProcess, webhook: str, bodies: Sequence[bytes]) -> None:
    """Deliver these bodies, and kill the door after its last answer."""
    for body in bodies:
        signed = f"X-PagerDuty-Signature: {signature_of(body)}".encode()
        answer = door.exchange(post(f"/webhooks/pagerduty/{webhook}", body, signed))
        assert answer.startswith(b"HTTP/1.1 202"), answer
    door.child.send_signal(signal.SIGKILL)
    door.child.wait()


def lose_journal(folder: Path) -> None:
    for file in folder.glob("calmo-inbox.db*"):
        file.unlink()


def open_journal_of(database: Database) -> InboxJournal:
    """Open the journal as a process does that has just started."""
    journal = InboxJournal.beside(database)
    assert journal is not None
    return journal


def open_file(database: Database) -> Database:
    file = database.beside("inbox")
    assert file is not None
    return file


async def left_in(database: Database) -> int:
    with closing(open_file(database)) as file:
        return len(file.read_blocking(lambda tx: journals.list_entries(tx, 0, 100)))


@asynccontextmanager
async def running(taker: JournalTaker) -> AsyncIterator[None]:
    task = asyncio.create_task(taker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PROGRAM)
