"""Nobody's backlog hides others' deliveries, and what is left in the database comes later, in order."""

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.forwarding import inbox_reader
from ingress.forwarding.inbox_reader import InboxReader
from ingress.forwarding.incident_queues import IncidentQueues
from ingress.forwarding.pacing import ArrivalRate
from tests.support.builders import NOON, a_note
from tests.support.doors import make_webhook
from tests.support.kept_deliveries import keep

pytestmark = pytest.mark.each_database

A_SHARE = 6


@pytest.fixture
def queues() -> IncidentQueues:
    return IncidentQueues()


@pytest.fixture
def inbox(database: Database, queues: IncidentQueues, monkeypatch: pytest.MonkeyPatch) -> InboxReader:
    """A reader with small shares and pages, which reads from the beginning only when it has to."""
    monkeypatch.setattr(inbox_reader, "MAX_OF_CONNECTION", A_SHARE)
    monkeypatch.setattr(inbox_reader, "PAGE", 4)
    monkeypatch.setattr(inbox_reader, "RESCAN_SECONDS", 1e9)
    monkeypatch.setattr(inbox_reader, "RESCAN_SHARE", 1.0)
    return InboxReader(database, queues, ArrivalRate())


@pytest.fixture
def busy(database: Database, keyring: Keyring) -> str:
    return make_webhook(database, keyring, scope="organization:busy")


@pytest.fixture
def quiet(database: Database, keyring: Keyring) -> str:
    return make_webhook(database, keyring, scope="organization:quiet")


def take_all(queues: IncidentQueues) -> list[list[int]]:
    batches = []
    while batch := queues.take_batch(100):
        batches.append([delivery.seq for delivery in batch])
        queues.finish(batch[0].ref)
    return batches


def ref_of(database: Database, seq: int) -> IncidentRef:
    found = database.read_blocking(lambda tx: deliveries.list_pending(tx, seq - 1, 1))
    return found[0].ref


def mark(database: Database, inbox: InboxReader, seqs: list[int]) -> None:
    database.write_blocking(lambda tx: deliveries.mark_forwarded(tx, seqs, NOON))
    inbox.forget(seqs)


async def test_a_connections_backlog_does_not_hide_anothers_delivery(
    database: Database, inbox: InboxReader, queues: IncidentQueues, busy: str, quiet: str
) -> None:
    backlog = [keep(database, busy, a_note("QBUSY")) for _ in range(5 * A_SHARE)]
    other = keep(database, quiet, a_note("QQUIET"))
    await inbox.read()
    assert take_all(queues) == [backlog[:A_SHARE], [other]]
    late = keep(database, quiet, a_note("QQUIET"))
    keep(database, busy, a_note("QBUSY"))
    inbox.wake()
    await inbox.read()
    assert take_all(queues) == [[late]], "the busy one has its share in memory"


async def test_what_was_left_is_read_in_order_once_there_is_room(
    database: Database, inbox: InboxReader, queues: IncidentQueues, busy: str
) -> None:
    sent: list[int] = []
    backlog = [keep(database, busy, a_note("QBUSY")) for _ in range(4 * A_SHARE)]
    while len(sent) < len(backlog):
        await inbox.read()
        for batch in take_all(queues):
            sent += batch
            mark(database, inbox, batch)
    assert sent == backlog


async def test_an_incident_held_back_hides_nobody_and_comes_in_order_when_it_may(
    database: Database, inbox: InboxReader, queues: IncidentQueues, busy: str
) -> None:
    stuck = [keep(database, busy, a_note("QSTUCK")) for _ in range(2)]
    ref = ref_of(database, stuck[0])
    await inbox.read()
    inbox.hold_back([ref])
    stuck += [keep(database, busy, a_note("QSTUCK")) for _ in range(3 * A_SHARE)]
    other = keep(database, busy, a_note("QOTHER"))
    inbox.wake()
    await inbox.read()
    assert take_all(queues) == [[other]]
    mark(database, inbox, [other])
    inbox.hold_back([])
    stuck.append(keep(database, busy, a_note("QSTUCK")))
    inbox.wake()
    await inbox.read()
    assert take_all(queues) == [stuck[:A_SHARE]]


async def test_what_is_in_memory_is_not_read_twice(
    database: Database, inbox: InboxReader, queues: IncidentQueues, busy: str
) -> None:
    first = keep(database, busy, a_note("Q1"))
    await inbox.read()
    inbox.clear(but=[first])
    queues.clear()
    await inbox.read()
    assert take_all(queues) == []
    inbox.clear(but=[])
    await inbox.read()
    assert take_all(queues) == [[first]]


async def test_readings_from_the_beginning_take_only_their_share_of_the_time(
    database: Database,
    inbox: InboxReader,
    queues: IncidentQueues,
    busy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_reader, "RESCAN_SHARE", 1e-9)
    stuck = keep(database, busy, a_note("QSTUCK"))
    inbox.hold_back([ref_of(database, stuck)])
    await inbox.read()
    inbox.hold_back([])
    await inbox.read()
    assert take_all(queues) == [], "another reading so soon would take too much"
