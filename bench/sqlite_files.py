"""Read SQLite files of other processes without blocking their writers."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a read-only connection. In WAL mode a reader never blocks a writer."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


def used_bytes(path: Path) -> int:
    """Return the size of the database in bytes, with its WAL, without its free pages."""
    connection = open_to_read(path)
    try:
        (size,), (pages,), (free,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_size", "page_count", "freelist_count")
        )
    finally:
        connection.close()
    return int(size) * (int(pages) - int(free))


class TimelineWatch:
    """Observes new timeline entries; each call is one indexed read of new rows."""

    def __init__(self, path: Path) -> None:
        self._connection = open_to_read(path)
        self._seen_up_to = 0

    def newly_saved(self) -> Sequence[tuple[str, float]]:
        """Return (event id, now) of rows since the last call: `now` is late by up to one polling interval."""
        rows = self._connection.execute(
            "SELECT id, event_id FROM timeline WHERE id > ? ORDER BY id", (self._seen_up_to,)
        ).fetchall()
        if rows:
            self._seen_up_to = rows[-1][0]
        now = time.monotonic()
        return [(event_id, now) for _, event_id in rows]

    def close(self) -> None:
        self._connection.close()
