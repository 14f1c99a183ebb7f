"""Access to the database: SQLite (WAL) or PostgreSQL."""

import asyncio
import functools
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from calmo_pagerduty.db.announcements import Channel, listen
from calmo_pagerduty.db.audit_signatures import AuditKeys
from calmo_pagerduty.db.group_writer import MAX_ATTEMPTS, GroupWriter, is_retryable
from calmo_pagerduty.db.migrations import SchemaProblem, upgrade
from calmo_pagerduty.db.server_limits import VANISHED_SERVER, answer_seconds, session_options
from calmo_pagerduty.db.statements import AUDIT_KEYS, restrict_visibility, run_restricted
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import EVERYTHING, Visibility

T = TypeVar("T")

#: A writer that waits longer than this for SQLite's lock gives up; the receiver then answers 503.
SQLITE_BUSY_SECONDS = 2.0
BUSY_STEP_SECONDS = 0.001
#: A starting program waits this long for another program's migration, which may take longer than a write.
MIGRATION_SECONDS = 60.0
MIGRATION_STEP_SECONDS = 0.05
READER_THREADS = 4
#: PostgreSQL's error code for a lock that was not got in time.
_LOCK_NOT_AVAILABLE = "55P03"


class StoreUnavailable(ExplainedError):
    """The database can't be reached, is locked, or is full. Nothing was written; a retry may help."""


class RowRefused(ExplainedError):
    """The database takes no such row: it can't hold a value, or a constraint forbids it. Nothing was written,
    and a retry would meet it again.
    """


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The database's URL. `text` may hold a password: show `safe` instead."""

    text: str

    @property
    def sqlalchemy(self) -> sa.URL:
        url = sa.make_url(self.text)
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        return url

    @property
    def safe(self) -> str:
        return self.sqlalchemy.render_as_string(hide_password=True)


class Database:
    """Reads in a small thread pool and writes in one thread (see GroupWriter). Raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        try:
            address = self._address = DatabaseUrl(url).sqlalchemy
            self._writing = _engine(address, writing=True)
            self._reading = _engine(address, writing=False)
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise StoreUnavailable(f"the database can't be used: {_describe_fault(error)}") from error
        self._writer = GroupWriter(self._writing)
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="store-reader")
        self._beside: list[Database] = []

    @property
    def commits_in_order(self) -> bool:
        """Whether rows are committed in the order of their numbers: SQLite has only one writer at a time."""
        return self._address.get_backend_name() == "sqlite"

    def sign_audit_with(self, keys: AuditKeys) -> None:
        """Let rows of the audit be signed that are appended from now on. Call it before the first write."""
        self._writing.update_execution_options(**{AUDIT_KEYS: keys})

    def beside(self, name: str) -> "Database | None":
        """Open another file of SQLite's beside this one, with `name` at the end of its name; it has a write
        lock of its own, and is closed with this one. None on PostgreSQL and in memory.
        """
        file = self._address.database
        if not self.commits_in_order or not file or file == ":memory:":
            return None
        path = Path(file)
        other = Database(f"sqlite:///{path.with_name(f'{path.stem}-{name}{path.suffix}')}")
        self._beside.append(other)
        return other

    def listen(self, channel: Channel) -> AsyncIterator[None]:
        """Yield at the start, and whenever another connection may have announced something. Never ends."""
        return listen(self._address, channel)

    @property
    def writes_waiting(self) -> int:
        """How many writes wait for the writer's thread."""
        return self._writer.waiting

    def migrate(self) -> None:
        """Migrate the schema to this version. Several processes may start at once: they wait for each other.

        It blocks, so call it before an event loop runs.

        Raises StoreUnavailable.
        """
        deadline = time.monotonic() + MIGRATION_SECONDS
        while True:
            try:
                self._upgrade()
                return
            except (SQLAlchemyError, SchemaProblem) as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise StoreUnavailable(f"the database can't be used: {_describe_fault(error)}") from error
            # Programs migrate before their event loop starts, and SQLite tells nobody that its lock is free.
            time.sleep(MIGRATION_STEP_SECONDS)

    def _upgrade(self) -> None:
        engine = _engine(self._address, writing=True, limited=False)
        try:
            upgrade(engine)
        finally:
            engine.dispose()

    async def write(
        self, work: Callable[[Transaction], T], durable: bool = True, seen_by: Visibility = EVERYTHING
    ) -> T:
        """Run `work` in a transaction and commit it. `work` may run twice.

        On PostgreSQL, row-level security lets it neither see nor write rows outside `seen_by`.

        If not `durable`, a crash of the database server or of the machine may lose it again, until a later
        durable commit. That is for what is derived from other rows, or can be read from PagerDuty again.
        Raises StoreUnavailable, RowRefused.
        """
        try:
            return await self._writer.submit(_as_writer(work, seen_by), durable)
        except SQLAlchemyError as error:
            raise _translate(error) from error

    async def read(self, work: Callable[[Transaction], T], seen_by: Visibility = EVERYTHING) -> T:
        """Run `work` on a snapshot of the database. Raises StoreUnavailable.

        On PostgreSQL, row-level security hides rows outside `seen_by` even if the query has no condition.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, functools.partial(self.read_blocking, work, seen_by))

    def read_blocking(self, work: Callable[[Transaction], T], seen_by: Visibility = EVERYTHING) -> T:
        """Run a read in the caller's thread. Raises StoreUnavailable."""
        try:
            with self._reading.connect() as tx:
                restrict_visibility(tx, seen_by)
                return work(tx)
        except SQLAlchemyError as error:
            raise _translate(error) from error

    def write_blocking(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in its own transaction, for programs without an event loop. `work` may run twice."""
        attempts_left = MAX_ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                with self._writing.begin() as tx:
                    return work(tx)
            except SQLAlchemyError as error:
                if not attempts_left or not is_retryable(error):
                    raise _translate(error) from error

    def close(self) -> None:
        """Finish the waiting writes, and close all connections."""
        for other in self._beside:
            other.close()
        self._writer.close()
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()


def _as_writer(work: Callable[[Transaction], T], seen_by: Visibility) -> Callable[[Transaction], T]:
    return work if seen_by.everything else lambda tx: run_restricted(tx, work, seen_by)


def _translate(error: SQLAlchemyError) -> StoreUnavailable | RowRefused:
    kind = RowRefused if isinstance(error, DataError | IntegrityError) else StoreUnavailable
    return kind(_describe_fault(error))


def _describe_fault(error: Exception) -> str:
    """Describe the fault without the statement and its values, which may hold personal data."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no details'}"


def _engine(url: sa.URL, writing: bool, limited: bool = True) -> Engine:
    """Return an engine. Without `limited`, its sessions may take as long as they need: for migrations."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, writing)
    size = 1 if writing else READER_THREADS
    engine = sa.create_engine(
        url,
        pool_size=size,
        max_overflow=1,
        pool_pre_ping=not writing,
        pool_timeout=SQLITE_BUSY_SECONDS,
        # A reader sees one snapshot, so an issue matches its timeline.
        isolation_level="READ COMMITTED" if writing else "REPEATABLE READ",
        hide_parameters=True,
        connect_args={
            **VANISHED_SERVER,
            "options": session_options(writing, limited),
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, cargs: Any, cparams: Any) -> Any:
        # Installations on SQLite need no driver of PostgreSQL in memory.
        from calmo_pagerduty.db.patient_connection import PatientConnection  # noqa: PLC0415 - imports psycopg

        connection = PatientConnection.connect(*cargs, **cparams)
        connection.patience = answer_seconds(writing) if limited else None
        return connection

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not _is_durable(connection):
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    return engine


def _is_durable(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("durable", True))


def _sqlite_engine(url: sa.URL, writing: bool) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        pool_size=2 if writing else READER_THREADS,
        max_overflow=0,
        poolclass=sa.pool.QueuePool,
        hide_parameters=True,
        connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions: it would not take the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        if writing:
            cursor.execute("PRAGMA busy_timeout=0")  # _begin_writing waits in finer steps
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if writing:
            # FULL: what we answered for survives a power loss, not only a crash.
            level = "FULL" if _is_durable(connection) else "NORMAL"
            if connection.info.get("synchronous") != level:
                connection.exec_driver_sql(f"PRAGMA synchronous={level}")
                connection.info["synchronous"] = level
            _begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _is_busy(error: Exception) -> bool:
    """Tell whether another process holds SQLite's write lock, or PostgreSQL's lock of a table."""
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
        return True
    return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _begin_writing(connection: Connection) -> None:
    """Begin a transaction with the write lock. SQLite's own busy handler sleeps up to 100 ms between
    attempts, but another process's transaction takes about 5 ms.
    """
    deadline = time.monotonic() + SQLITE_BUSY_SECONDS
    driver: Any = connection.connection.driver_connection
    while time.monotonic() < deadline:
        # Asked of the driver itself: SQLAlchemy's error for each attempt cost more than the waiting.
        try:
            driver.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                break
        time.sleep(BUSY_STEP_SECONDS)
    connection.exec_driver_sql("BEGIN IMMEDIATE")
