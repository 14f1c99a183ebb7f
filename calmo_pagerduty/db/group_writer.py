"""A single writer thread. It commits all waiting jobs together, so a storm costs few fsyncs."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from calmo_pagerduty.db.statements import is_contended
from calmo_pagerduty.db.transactions import Transaction

MAX_BATCH = 256
#: After this time a transaction is committed, and the rest of the batch gets another: a transaction
#: blocks all other writers of SQLite.
MAX_BATCH_SECONDS = 0.003

#: PostgreSQL's "deadlock detected" and "could not serialize": the transaction may be retried.
_RETRYABLE_SQLSTATES = ("40P01", "40001")
MAX_ATTEMPTS = 5


T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[Transaction], Any]
    done: "asyncio.Future[Any]"
    durable: bool


class _End(NamedTuple):
    """How a job ended: with a result, or with an error."""

    done: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None


class GroupWriter:
    """Runs submitted functions in transactions that waiting functions share.

    A function may run twice (alone, after a shared transaction failed), so it must do nothing but read
    and write through its transaction.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: Kept until a fault: to take one from the pool for each transaction costs as much as an insert.
        self._connection: Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    def submit(self, work: Callable[[Transaction], T], durable: bool = True) -> "asyncio.Future[T]":
        """Queue the function. The future gets its result when the transaction is committed, and on disk if
        any function of the transaction is `durable`.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, done, durable))
        return done

    def close(self) -> None:
        """Commit waiting jobs, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            closing = False
            while len(batch) < MAX_BATCH:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    closing = True
                    break
                batch.append(following)
            # Skip jobs whose caller was cancelled.
            self._commit([each for each in batch if not each.done.cancelled()])
            if closing:
                break
        self._disconnect()

    def _commit(self, batch: list[_Job]) -> None:
        while batch:
            done = self._commit_prefix(batch)
            batch = batch[done:]

    def _connect(self, durable: bool) -> Connection:
        """Return the connection for a transaction that is durable, or not."""
        if self._connection is None:
            self._connection = self._engine.connect()
        if self._connection.get_execution_options().get("durable") is not durable:
            self._connection.execution_options(durable=durable)
        return self._connection

    def _disconnect(self) -> None:
        """Give the connection back. The pool drops it if it is lost."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _commit_prefix(self, batch: list[_Job], attempts_left: int = MAX_ATTEMPTS) -> int:
        """Commit as many jobs as fit into one transaction. Returns how many are finished.

        A job that is in a deadlock with another process's, alone, is tried again.
        """
        results: list[Any] = []
        try:
            tx = self._connect(any(job.durable for job in batch))
            with tx.begin():
                begun = time.monotonic()
                for job in batch:
                    results.append(job.work(tx))
                    if is_contended(tx) or time.monotonic() - begun > MAX_BATCH_SECONDS:
                        break
        # Whatever a job raises is its caller's to handle; unhandled here, it would end the writer's thread.
        except Exception as error:
            self._disconnect()
            if len(batch) == 1 and is_retryable(error) and attempts_left > 1:
                return self._commit_prefix(batch, attempts_left - 1)
            if len(batch) > 1 and not _is_database_fault(error):
                for job in batch:
                    self._commit_prefix([job])
            else:
                _tell([_End(job.done, error=error) for job in batch])
            return len(batch)
        _tell([_End(job.done, result) for job, result in zip(batch, results, strict=False)])
        return len(results)


def _tell(ends: Sequence[_End]) -> None:
    """Tell the callers how their jobs ended: each event loop once, because to wake it costs a system call."""
    for loop in {end.done.get_loop() for end in ends}:
        own = [end for end in ends if end.done.get_loop() is loop]
        with suppress(RuntimeError):  # a loop that is closed has no callers any more
            loop.call_soon_threadsafe(_settle, own)


def _settle(ends: Sequence[_End]) -> None:
    for done, result, error in ends:
        if done.done():  # its caller was cancelled meanwhile
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)


def is_retryable(error: Exception) -> bool:
    """Tell whether the same transaction may succeed later: PostgreSQL ended it because of another one."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _RETRYABLE_SQLSTATES


def _is_database_fault(error: Exception) -> bool:
    """Tell whether every job of the batch would fail in the same way: lock, full disk, lost connection."""
    return not is_retryable(error) and isinstance(error, OperationalError | InterfaceError)
