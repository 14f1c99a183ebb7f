"""The schema that migrations make is the one that the code means, and starts at once don't collide."""

import itertools
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from calmo_pagerduty.db import migrations, tables
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.schema import schema_floor
from calmo_pagerduty.db.tool_tables import CALL_HAS_CONTENTS
from tests.support.doors import rows
from tests.support.patience import PROGRAM

#: Programs of their own.
pytestmark = [pytest.mark.slow, pytest.mark.each_database]

MIGRATE = """
import sys
from contextlib import closing
from calmo_pagerduty.db.database import Database
sys.stdin.read(1)
with closing(Database(sys.argv[1])) as database:
    database.migrate()
    database.write_blocking(lambda connection: connection.exec_driver_sql("SELECT 1 FROM deliveries"))
"""


def test_the_migrated_schema_is_the_one_that_the_code_means(database: Database) -> None:
    def differences(connection: sa.Connection) -> object:
        # Alembic can't read SQLite's empty default back; the migration is the same for both.
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": defaults}
        )
        return compare_metadata(context, tables.metadata)

    assert database.read_blocking(differences) == []


def test_what_alembic_does_not_compare_is_there_too(database: Database) -> None:
    def constraints(connection: sa.Connection) -> dict[str, set[tuple[str, ...]]]:
        inspector = sa.inspect(connection)
        return {
            table: {
                tuple(constraint["column_names"]) for constraint in inspector.get_unique_constraints(table)
            }
            for table in ("deliveries", "timeline", "issues")
        }

    assert database.read_blocking(constraints) == {
        "deliveries": {("webhook_id", "dedup_key")},
        "timeline": {("issue_id", "event_id")},
        "issues": {("connection_id", "incident_id")},
    }


def test_row_numbers_are_not_given_twice_after_the_last_row_is_gone(database: Database) -> None:
    change = sa.text(
        "INSERT INTO refusals (webhook_id, at, verdict, reason, status, body_bytes, body_sha256)"
        " VALUES ('w', '2026-06-01 12:00:00', 'v', 'r', 401, 1, '00')"
    )
    database.write_blocking(lambda c: c.execute(change))
    [first] = rows(database, tables.refusals)
    database.write_blocking(lambda c: c.execute(sa.delete(tables.refusals)))
    database.write_blocking(lambda c: c.execute(change))
    [second] = rows(database, tables.refusals)
    assert second.id > first.id


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    version = sa.text("SELECT version_num FROM alembic_version")
    assert len(database.read_blocking(lambda c: c.execute(version).all())) == 1


def test_two_starts_at_once_do_not_collide(database_url: str) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE, database_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("!")
        starter.stdin.flush()
    said = [starter.communicate(timeout=PROGRAM)[1] for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0], said


def test_a_database_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "calmo.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with closing(Database(f"sqlite:///{path}")) as database:
        with pytest.raises(StoreUnavailable, match="not a database") as caught:
            database.migrate()
        assert "\n" not in str(caught.value)


def test_a_start_waits_for_a_migration_that_takes_longer_than_a_write_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tried_again = tmp_path / "calmo.db", threading.Event()
    monkeypatch.setattr("calmo_pagerduty.db.database.SQLITE_BUSY_SECONDS", 0.0)
    upgrade, tries = migrations.upgrade, itertools.count(1)

    def counted(engine: sa.Engine) -> None:
        if next(tries) > 1:
            tried_again.set()
        upgrade(engine)

    monkeypatch.setattr("calmo_pagerduty.db.database.upgrade", counted)
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("PRAGMA journal_mode=WAL")
        another.execute("BEGIN IMMEDIATE")
        with closing(Database(f"sqlite:///{path}")) as database, ThreadPoolExecutor(1) as threads:
            migration = threads.submit(database.migrate)
            assert tried_again.wait(PROGRAM)
            another.execute("ROLLBACK")
            migration.result(PROGRAM)
            database.read_blocking(lambda tx: tx.exec_driver_sql("SELECT 1 FROM deliveries"))


def test_a_program_starts_on_a_newer_schema_unless_the_schema_forbids_it(database: Database) -> None:
    def set_version(tx: sa.Connection) -> None:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    database.write_blocking(set_version)
    database.migrate()
    database.write_blocking(lambda tx: tx.execute(sa.insert(schema_floor).values(version="9998")))
    with pytest.raises(StoreUnavailable, match="has version 9999 and needs programs of 9998 at least"):
        database.migrate()


def test_a_migration_that_waits_for_a_table_lets_others_at_it_in_between(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not migrated_url.startswith("postgresql"):
        pytest.skip("SQLite has one lock, and whoever waits for it holds none")
    tried_again, tries = threading.Event(), itertools.count(1)

    def change(connection: sa.Connection) -> None:
        if next(tries) > 1:
            tried_again.set()
        connection.execute(sa.text("LOCK TABLE leases IN ACCESS EXCLUSIVE MODE"))

    monkeypatch.setattr(migrations, "LOCK_MS", 50)
    monkeypatch.setattr(migrations, "newest_version", lambda: "9999")
    monkeypatch.setattr("calmo_pagerduty.db.migrations.alembic_run.run", change)
    with closing(Database(migrated_url)) as database, ThreadPoolExecutor(1) as threads:
        with psycopg.connect(migrated_url) as reader:
            reader.execute("SELECT 1 FROM leases")
            migration = threads.submit(database.migrate)
            assert tried_again.wait(PROGRAM)
        migration.result(PROGRAM)


def test_what_old_calls_still_hold_is_found_by_an_index(database: Database) -> None:
    old = sa.select(tables.tool_calls.c.id).where(
        tables.tool_calls.c.finished_at < datetime(2026, 1, 1, tzinfo=UTC), CALL_HAS_CONTENTS
    )

    def plan(tx: sa.Connection) -> str:
        postgresql = tx.dialect.name == "postgresql"
        if postgresql:
            tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        compiled = old.compile(tx, compile_kwargs={"literal_binds": True})
        how = "EXPLAIN" if postgresql else "EXPLAIN QUERY PLAN"
        return str(tx.exec_driver_sql(f"{how} {compiled}").all())

    assert "ix_tool_calls_finished_at" in database.read_blocking(plan)
