"""Does the process answer, and are its database and Temporal there: each said by itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.conftest import new_postgresql_database
from tests.support.doors import Doorway, open_doorway
from tests.support.impatience import impatient_database, impatient_health


async def test_healthz_says_that_the_process_answers(doorway: Doorway) -> None:
    answer = await doorway.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.each_database
async def test_readyz_is_200_when_both_are_there(doorway: Doorway, temporal: Client) -> None:
    doorway.ingress.services.temporal.hold(temporal)
    answer = await doorway.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "database": "ok", "temporal": "ok"})


async def test_readyz_tells_that_temporal_is_away_and_is_200_all_the_same(doorway: Doorway) -> None:
    answer = await doorway.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "temporal": "not connected yet"}


async def test_readyz_is_503_without_the_database_and_says_so(
    postgresql: str | None, keyring: Keyring, tmp_path: Path, temporal: Client
) -> None:
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url = new_postgresql_database(postgresql)
    with closing(Database(url)) as database:
        database.migrate()
        async with open_doorway(database, keyring, tmp_path) as doorway:
            doorway.ingress.services.temporal.hold(temporal)
            with psycopg.connect(url) as other:
                other.execute("LOCK TABLE leases IN ACCESS EXCLUSIVE MODE")
                with impatient_health():
                    answer = await doorway.client.get("/readyz")
            assert (answer.status_code, answer.json()["temporal"]) == (503, "ok")
            assert answer.json()["database"].startswith("unreachable")
            assert (await doorway.client.get("/readyz")).status_code == 200


async def test_a_database_that_takes_no_writes_makes_us_unready(doorway: Doorway, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "calmo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with impatient_database():
            answer = await doorway.client.get("/readyz")
        other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["database"]) == (503, "unreachable (StoreUnavailable)")
    assert (await doorway.client.get("/readyz")).status_code == 200
