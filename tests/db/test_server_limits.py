"""Time limits of sessions on PostgreSQL: a write that takes too long is given up, the next one goes on."""

import asyncio
import contextlib
import runpy
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import server_limits
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.leases import leave_mark
from calmo_pagerduty.db.transactions import Transaction
from tests.conftest import new_postgresql_database
from tests.support.patience import EVENTUALLY
from tests.support.swallowing_proxy import swallowing_proxy


@pytest.fixture
def url(postgresql: str | None, migrated_template: str | None) -> str:
    if postgresql is None or migrated_template is None:
        pytest.skip("no PostgreSQL on this machine")
    return new_postgresql_database(postgresql, migrated_template)


def touch(tx: Any) -> None:
    tx.execute(sa.text("DELETE FROM leases"))


async def test_a_lock_of_somebody_else_is_not_waited_for_without_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_limits, "LOCK_MS", 200)
    with closing(Database(url)) as database:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE leases IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                await database.write(touch)
        await database.write(touch)


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_statement_that_takes_too_long_is_ended(
    url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_limits, "WRITE_MS", 200)
    monkeypatch.setattr(server_limits, "READ_MS", 200)
    with closing(Database(url)) as database:
        run = database.read if kind == "read" else database.write
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await run(lambda tx: tx.execute(sa.text("SELECT pg_sleep(600)")).all())
        await run(lambda tx: tx.execute(sa.text("SELECT 1")).all())


async def test_a_connection_that_was_cut_is_replaced_by_the_next_write(url: str) -> None:
    with closing(Database(url)) as database:
        await database.write(touch)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(StoreUnavailable):
            await database.write(touch)
        await database.write(touch)


async def test_two_writers_that_lock_the_same_rows_in_both_orders_both_succeed(url: str) -> None:
    def locking(first: str, second: str, met: threading.Barrier) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            leave_mark(tx, first, "somebody")
            if not met.broken:
                # Both hold their first row now: PostgreSQL ends one of the two.
                with contextlib.suppress(threading.BrokenBarrierError):
                    met.wait(EVENTUALLY)
                met.abort()
            leave_mark(tx, second, "somebody")

        return work

    with closing(Database(url)) as first, closing(Database(url)) as second:
        for _ in range(3):
            met = threading.Barrier(2)
            await asyncio.gather(first.write(locking("a", "b", met)), second.write(locking("b", "a", met)))


async def test_a_network_that_swallows_packets_without_a_reset_is_survived_by_writers_and_readers(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside_tests = runpy.run_path(server_limits.__file__)["answer_seconds"]
    assert max(outside_tests(writing) for writing in (True, False)) < 15
    monkeypatch.setitem(server_limits.VANISHED_SERVER, "connect_timeout", 2)
    for limit in ("WRITE_MS", "READ_MS", "ANSWER_MARGIN_MS"):
        monkeypatch.setattr(server_limits, limit, 500)
    address = sa.make_url(url)
    socket = f".s.PGSQL.{address.query.get('port', 5432)}"
    async with swallowing_proxy(Path(str(address.query["host"])) / socket, tmp_path / socket) as proxy:
        through = address.update_query_dict({"host": str(tmp_path)})
        with closing(Database(through.render_as_string(hide_password=False))) as database:
            await database.write(touch)
            await database.read(lambda tx: tx.execute(sa.text("SELECT 1")).all())
            proxy.swallowing = True
            with pytest.raises(StoreUnavailable, match="said nothing for 1 s"):
                await database.write(touch)
            # A new connection gets no answer either.
            with pytest.raises(StoreUnavailable):
                await database.write(touch)
            with pytest.raises(StoreUnavailable):
                await database.read(lambda tx: tx.execute(sa.text("SELECT 1")).all())
            proxy.swallowing = False
            await database.write(touch)
            await database.read(lambda tx: tx.execute(sa.text("SELECT 1")).all())
