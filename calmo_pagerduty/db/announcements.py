"""Tell other processes at once that something was committed, so that they need not scan for it.

On PostgreSQL an announcement is a NOTIFY of the transaction. On SQLite the file itself tells: its version
changes with every commit, and a table's highest number with every new row; to ask for both takes some
microseconds. A listener may hear too much and, after a lost connection or of rows that are pending again, too
little; so it reads what there is, and scans as well, though rarely.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from enum import StrEnum

import sqlalchemy as sa

from calmo_pagerduty.db.server_limits import VANISHED_SERVER
from calmo_pagerduty.db.transactions import Transaction

#: How often a listener asks SQLite for the file's version.
POLL_SECONDS = 0.01
RECONNECT_SECONDS = 1.0
_ANNOUNCED = "calmo_announced"


class Channel(StrEnum):
    """What is announced."""

    #: Deliveries wait to be forwarded.
    INBOX = "calmo_inbox"
    #: Deliveries wait in the doors' journal, which only SQLite has.
    JOURNAL = "calmo_journal"


def announce(tx: Transaction, channel: Channel) -> None:
    """Announce on the channel once the transaction is committed, and only once however often it is called."""
    if tx.dialect.name != "postgresql":
        return
    current = tx.get_transaction()
    if tx.info.get(_ANNOUNCED) is not current:
        tx.info[_ANNOUNCED] = current
        tx.execute(sa.text(f"NOTIFY {channel}"))


#: By channel: the number of the newest row in SQLite.
_NEWEST = {
    Channel.INBOX: "SELECT max(seq) FROM deliveries",
    Channel.JOURNAL: "SELECT seq FROM sqlite_sequence WHERE name = 'journal'",
}


async def listen(url: sa.URL, channel: Channel) -> AsyncIterator[None]:
    """Yield at the start, and whenever another connection may have announced something. Never ends."""
    source = _changes(url, channel) if url.get_backend_name() == "sqlite" else _notifications(url, channel)
    async for _ in source:
        yield


async def _changes(url: sa.URL, channel: Channel) -> AsyncIterator[None]:
    """Yield when there are new rows. Most commits are about something else, and a reading costs far more."""
    seen = newest = None
    with closing(sqlite3.connect(url.database or ":memory:", check_same_thread=False)) as connection:
        while True:
            try:
                version = connection.execute("PRAGMA data_version").fetchone()
                found = newest if version == seen else connection.execute(_NEWEST[channel]).fetchone()
            except sqlite3.OperationalError:
                version, found = seen, newest
            seen = version
            if found != newest:
                newest = found
                yield
            await asyncio.sleep(POLL_SECONDS)


async def _notifications(url: sa.URL, channel: Channel) -> AsyncIterator[None]:
    import psycopg  # noqa: PLC0415 - installations on SQLite need no driver of PostgreSQL in memory

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                address, autocommit=True, **VANISHED_SERVER
            ) as connection:
                await connection.execute(f"LISTEN {channel}")
                yield
                async for _ in connection.notifies():
                    yield
        except psycopg.OperationalError:
            # The listener's scans find what is announced meanwhile.
            await asyncio.sleep(RECONNECT_SECONDS)
