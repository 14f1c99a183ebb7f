"""The door's contract when our own parts fail: always 503, and nothing is promised that is not kept."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import database as database_limits, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.webhook_receiver import receiver
from tests.conftest import new_postgresql_database
from tests.support.builders import an_event, body_of, new_id
from tests.support.doors import Doorway, make_webhook, open_doorway
from tests.support.impatience import impatient_door

UNAVAILABLE = (503, {"verdict": "store_unavailable"})
#: PagerDuty waits this long for an answer, then it sends the delivery again.
PAGERDUTY_WAITS_SECONDS = 5.0
#: As they are in life: tests change them.
LIMITS = (receiver.BODY_SECONDS, receiver.COMMIT_SECONDS, database_limits.SQLITE_BUSY_SECONDS)


def test_each_limit_of_the_door_runs_out_before_pagerduty_gives_up() -> None:
    assert max(LIMITS) < PAGERDUTY_WAITS_SECONDS


def a_body() -> bytes:
    return body_of(an_event(EventType.TRIGGERED, new_id()))


async def test_a_locked_database_is_503_until_the_lock_is_gone(doorway: Doorway, tmp_path: Path) -> None:
    body = a_body()
    webhook = doorway.a_webhook()
    with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with impatient_door():
            answer = await doorway.post(webhook, body)
        assert (answer.status_code, answer.json()) == UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
        other.execute("ROLLBACK")
    assert list(doorway.kept()) == []
    assert (doorway.counted("store_unavailable"), doorway.alarms("store_unavailable")) == (1, 1)
    assert (await doorway.post(webhook, body)).json() == {"verdict": "accepted"}


async def test_a_lock_shorter_than_our_patience_is_not_noticed(doorway: Doorway, tmp_path: Path) -> None:
    webhook = doorway.a_webhook()
    with closing(
        sqlite3.connect(tmp_path / "calmo.db", isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        release.start()
        answer = await doorway.post(webhook, a_body())
        release.join()
    assert answer.status_code == 202


async def test_a_full_disk_is_503_and_nothing_is_kept_by_halves(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    large = body_of(an_event(EventType.TRIGGERED, new_id(), title="x" * 300_000))

    def fill(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 1}")

    await doorway.database.write(fill)
    answer = await doorway.post(webhook, large)
    assert (answer.status_code, answer.json()) == UNAVAILABLE
    assert list(doorway.kept()) == []
    await doorway.database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1000000").scalar())
    assert (await doorway.post(webhook, large)).json() == {"verdict": "accepted"}


async def test_a_read_only_database_is_503_and_nothing_is_promised(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    await doorway.database.write(lambda c: c.exec_driver_sql("PRAGMA query_only = 1"))
    answer = await doorway.post(webhook, a_body())
    assert (answer.status_code, answer.json()) == UNAVAILABLE
    assert list(doorway.kept()) == []
    assert doorway.counted("store_unavailable") == 1


@contextmanager
def away(server: str, url: str) -> Iterator[None]:
    """Take a PostgreSQL database away from its users, then bring it back."""
    name = url.partition("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_postgresql_away_is_503_for_known_and_unknown_webhooks_until_it_is_back(
    postgresql: str | None, keyring: Keyring, tmp_path: Path
) -> None:
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url, body = new_postgresql_database(postgresql), a_body()
    with closing(Database(url)) as database:
        database.migrate()
        webhook = make_webhook(database, keyring)
        async with open_doorway(database, keyring, tmp_path) as doorway:
            assert (await doorway.post(webhook, a_body())).status_code == 202
            with away(postgresql, url):
                answers = [await doorway.post(webhook_id, body) for webhook_id in (webhook, "wh_" + "a" * 32)]
                assert [(each.status_code, each.json()) for each in answers] == [UNAVAILABLE] * 2
                forged = await doorway.post(webhook, body, {"X-PagerDuty-Signature": "v1=00"})
                assert (forged.status_code, forged.json()) == UNAVAILABLE
            assert (await doorway.post(webhook, body)).json() == {"verdict": "accepted"}
            assert len(doorway.kept()) == 2
            assert doorway.counted("store_unavailable") == 3


async def test_a_restart_of_postgresql_costs_no_delivery_a_4xx(
    postgresql: str | None, keyring: Keyring, tmp_path: Path
) -> None:
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url, body = new_postgresql_database(postgresql), a_body()
    with closing(Database(url)) as database:
        database.migrate()
        webhook = make_webhook(database, keyring)
        async with open_doorway(database, keyring, tmp_path) as doorway:
            assert (await doorway.post(webhook, a_body())).status_code == 202
            with away(postgresql, url):
                pass
            statuses = [(await doorway.post(webhook, body)).status_code for _ in range(2)]
            assert set(statuses) <= {202, 503}
            assert statuses[1] == 202


@pytest.mark.each_database
async def test_a_secret_that_does_not_open_is_503_and_never_401(doorway: Doorway) -> None:
    webhook = make_webhook(doorway.database, Keyring({"test": bytes(32)}))
    answer = await doorway.post(webhook, a_body())
    assert (answer.status_code, answer.json()) == UNAVAILABLE
    assert (list(doorway.kept()), list(doorway.refused())) == ([], [])
    assert doorway.counted("store_unavailable") == 1


@pytest.mark.each_database
async def test_a_secret_moved_to_another_webhook_does_not_open_there(doorway: Doorway) -> None:
    first, second = doorway.a_webhook(), doorway.a_webhook(secret=b"another")
    secrets = tables.webhook_secrets

    def swap(connection: sa.Connection) -> None:
        sealed = sa.select(secrets.c.sealed).where(secrets.c.webhook_id == first).scalar_subquery()
        connection.execute(sa.update(secrets).where(secrets.c.webhook_id == second).values(sealed=sealed))

    doorway.database.write_blocking(swap)
    answer = await doorway.post(second, a_body())
    assert (answer.status_code, answer.json()) == UNAVAILABLE


async def test_too_many_waiting_for_the_database_and_further_ones_are_asked_to_come_back(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ingress.webhook_receiver.receiver.MAX_PENDING_WRITES", 5)
    webhook = doorway.a_webhook()
    assert (await doorway.post(webhook, a_body())).status_code == 202
    with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting = [asyncio.create_task(doorway.post(webhook, a_body())) for _ in range(30)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status_code for task in done} == {429}
        assert doorway.counted("overloaded") > 0
        other.execute("ROLLBACK")
    statuses = [(await task).status_code for task in waiting]
    assert set(statuses) == {202, 429}
    assert len(doorway.kept()) == 1 + statuses.count(202)


@pytest.mark.parametrize("table", ["webhooks", "deliveries"])
async def test_a_database_that_does_not_answer_is_503_when_the_doors_limit_has_run_out(
    postgresql: str | None, keyring: Keyring, tmp_path: Path, table: str
) -> None:
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url, body = new_postgresql_database(postgresql), a_body()
    with closing(Database(url)) as database:
        database.migrate()
        webhook = make_webhook(database, keyring)
        async with open_doorway(database, keyring, tmp_path) as doorway:
            with psycopg.connect(url) as other:
                other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                with impatient_door():
                    answer = await doorway.post(webhook, body)
                assert (answer.status_code, answer.json()) == UNAVAILABLE
            # What was written in the end counts once: the retry is either the first or a duplicate.
            assert (await doorway.post(webhook, body)).status_code == 202
            assert len(doorway.kept()) == 1
