"""Writes share transactions: one that fails spoils no other, and a fault of the database is told to all."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database, RowRefused, StoreUnavailable
from calmo_pagerduty.db.group_writer import MAX_BATCH
from calmo_pagerduty.db.statements import lock_change_order
from tests.support.impatience import impatient_database
from tests.support.patience import EVENTUALLY

LATER = datetime.now(UTC) + timedelta(days=1)


def put(name: str) -> Callable[[sa.Connection], str]:
    """A write of one row, which returns its name."""

    def work(connection: sa.Connection) -> str:
        connection.execute(tables.leases.insert().values(name=name, holder="somebody", until=LATER))
        return name

    return work


def names(database: Database) -> list[str]:
    query = sa.select(tables.leases.c.name).order_by(tables.leases.c.name)
    return list(database.read_blocking(lambda c: c.execute(query).scalars().all()))


@asynccontextmanager
async def a_busy_writer(database: Database) -> AsyncIterator[None]:
    """What is submitted meanwhile waits, then shares a transaction."""
    running, go_on = threading.Event(), threading.Event()

    def work(_: sa.Connection) -> None:
        running.set()
        go_on.wait(EVENTUALLY)

    first = asyncio.ensure_future(database.write(work))
    assert await asyncio.to_thread(running.wait, EVENTUALLY)
    yield
    go_on.set()
    await first


@contextmanager
def transactions_of(database: Database) -> Iterator[list[sa.Connection]]:
    """Gathers the transactions that its writer begins meanwhile."""
    begun: list[sa.Connection] = []

    def gather(connection: sa.Connection) -> None:
        begun.append(connection)

    # Before our own listener, which waits for the lock.
    sa.event.listen(database._writing, "begin", gather, insert=True)
    yield begun
    sa.event.remove(database._writing, "begin", gather)


async def together(database: Database, works: Sequence[Callable[[sa.Connection], object]]) -> list[object]:
    async with a_busy_writer(database):
        waiting = [asyncio.ensure_future(database.write(work)) for work in works]
        await asyncio.sleep(0)
    return list(await asyncio.gather(*waiting, return_exceptions=True))


@pytest.mark.each_database
async def test_a_write_is_committed_when_it_returns(database: Database) -> None:
    assert await database.write(put("a")) == "a"
    assert names(database) == ["a"]


async def test_writes_that_wait_share_one_transaction_and_keep_their_order(database: Database) -> None:
    seen: list[int] = []

    def note(connection: sa.Connection) -> object:
        seen.append(len(seen))
        return connection.get_transaction()

    transactions = await together(database, [note] * 20)
    assert seen == list(range(20))
    assert len({id(transaction) for transaction in transactions}) == 1


async def test_more_than_one_transactions_worth_is_all_written(database: Database) -> None:
    await together(database, [put(f"{number:04}") for number in range(MAX_BATCH * 2 + 3)])
    assert len(names(database)) == MAX_BATCH * 2 + 3


@pytest.mark.each_database
async def test_a_write_that_fails_does_not_spoil_its_neighbours(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        put("half")(connection)
        raise KeyError("a bug of the caller")

    results = await together(database, [put("a"), fail, put("b"), put("b"), put("c")])
    assert (results[0], results[2], results[4]) == ("a", "b", "c")
    assert isinstance(results[1], KeyError)
    assert isinstance(results[3], RowRefused)
    assert names(database) == ["a", "b", "c"]


async def test_a_locked_database_fails_all_that_waited_at_once(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with impatient_database(), transactions_of(database) as begun:
            waiting = [database.write(put(str(number))) for number in range(9)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
        other.execute("ROLLBACK")
    assert {type(result) for result in results} == {StoreUnavailable}
    # The first one waits for the lock by itself, and all the others once.
    assert len(begun) <= 2
    assert names(database) == []
    assert await database.write(put("after")) == "after"


async def test_a_caller_that_gave_up_while_waiting_is_not_served(database: Database) -> None:
    async with a_busy_writer(database):
        given_up = asyncio.ensure_future(database.write(put("unwanted")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
    await database.write(put("wanted"))
    assert names(database) == ["wanted"]


@pytest.mark.each_database
async def test_the_message_of_a_fault_holds_no_values(database: Database) -> None:
    await database.write(put("robin@example.com"))
    with pytest.raises(RowRefused) as caught:
        await database.write(put("robin@example.com"))
    assert not {"INSERT", "somebody", "robin"} & set(re.findall(r"\w+", str(caught.value)))


async def test_what_waits_is_committed_before_closing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    database = Database(url)
    database.migrate()
    waiting = [asyncio.ensure_future(database.write(put(str(number)))) for number in range(5)]
    await asyncio.sleep(0)
    database.close()
    await asyncio.gather(*waiting)
    with closing(Database(url)) as again:
        assert names(again) == list("01234")


@pytest.mark.each_database
async def test_a_reader_sees_one_moment(database: Database) -> None:
    between, written = threading.Event(), threading.Event()
    count = sa.select(sa.func.count()).select_from(tables.leases)

    def read(connection: sa.Connection) -> tuple[int, int]:
        before = connection.execute(count).scalar_one()
        between.set()
        assert written.wait(EVENTUALLY)
        return before, connection.execute(count).scalar_one()

    reading = asyncio.ensure_future(database.read(read))
    assert await asyncio.to_thread(between.wait, EVENTUALLY)
    await database.write(put("a"))
    written.set()
    assert await reading == (0, 0)
    assert names(database) == ["a"]


@pytest.mark.each_database
async def test_a_transaction_waits_for_the_disk_unless_all_in_it_can_be_repeated(database: Database) -> None:
    def waits_for_the_disk(tx: sa.Connection) -> bool:
        if tx.dialect.name == "postgresql":
            return bool(tx.execute(sa.text("SHOW synchronous_commit")).scalar_one() == "on")
        return bool(tx.execute(sa.text("PRAGMA synchronous")).scalar_one() == 2)

    assert await database.write(waits_for_the_disk)
    assert not await database.write(waits_for_the_disk, durable=False)
    async with a_busy_writer(database):
        repeatable = asyncio.ensure_future(database.write(waits_for_the_disk, durable=False))
        beside = asyncio.ensure_future(database.write(waits_for_the_disk))
        await asyncio.sleep(0)
    assert await repeatable and await beside
    assert not await database.write(waits_for_the_disk, durable=False)
    assert database.write_blocking(waits_for_the_disk)


@pytest.mark.each_database
async def test_who_holds_what_other_processes_wait_for_waits_for_nothing_more(database: Database) -> None:
    def transaction(connection: sa.Connection) -> object:
        return connection.get_transaction()

    def append(connection: sa.Connection) -> object:
        lock_change_order(connection)
        return transaction(connection)

    found = await together(database, [transaction, append, transaction, transaction])
    before, appending, after, last = map(id, found)
    assert before == appending and after == last
    # On SQLite all writers wait for one lock, so that none can hold what another one needs.
    assert (appending == after) == database.commits_in_order


@pytest.mark.each_database
async def test_two_writes_that_wait_for_each_other_are_both_made(
    database: Database, migrated_url: str
) -> None:
    """A program of commands on one side, the service on the other: PostgreSQL ends one of them."""
    if database.commits_in_order:
        pytest.skip("SQLite has one lock, and whoever waits for it holds none")
    for name in ("a", "b"):
        await database.write(put(name))
    attempts, locked = [0], {"a": threading.Event(), "b": threading.Event()}

    def lock(tx: sa.Connection, name: str) -> None:
        tx.execute(sa.update(tables.leases).where(tables.leases.c.name == name).values(holder="locked"))
        locked[name].set()

    def work(first: str, second: str) -> Callable[[sa.Connection], None]:
        def lock_both(tx: sa.Connection) -> None:
            attempts[0] += 1
            lock(tx, first)
            assert locked[second].wait(EVENTUALLY)
            lock(tx, second)

        return lock_both

    with closing(Database(migrated_url)) as other:
        by_command = asyncio.to_thread(other.write_blocking, work("b", "a"))
        await asyncio.gather(database.write(work("a", "b")), by_command)
    assert attempts[0] >= 3, "one of them was ended, and made again"
