"""Look into SQLite files from outside, without holding up their writers."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path


def open_to_read(path: Path) -> sqlite3.Connection:
    """In WAL mode a reader never makes a writer wait."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


def used_bytes(path: Path) -> int:
    """Return the size of the database with what is still in its WAL, less its free pages."""
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
    """Sees events when they are on an issue's timeline: one look is one indexed read of new rows."""

    def __init__(self, path: Path) -> None:
        self._connection = open_to_read(path)
        self._seen_up_to = 0

    def newly_saved(self) -> Sequence[tuple[str, float]]:
        """Return (event id, now) of rows since the last look: `now` is late by up to one interval."""
        rows = self._connection.execute(
            "SELECT id, event_id FROM timeline WHERE id > ? ORDER BY id", (self._seen_up_to,)
        ).fetchall()
        if rows:
            self._seen_up_to = rows[-1][0]
        now = time.monotonic()
        return [(event_id, now) for _, event_id in rows]

    def close(self) -> None:
        self._connection.close()
