"""Connections to PostgreSQL that stop to wait for a server that says nothing.

Time limits of the server don't help if its answers don't arrive, nor do those of TCP if something between
us and the server takes our packets and forwards none.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus

T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """Raises OperationalError, and is closed, when an answer takes longer than `patience` (seconds)."""

    patience: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run one exchange with the server to its end."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError as error:
            # What the server says has a code, and what it says by hanging up breaks the connection.
            if error.sqlstate is not None or self.pgconn.status != ConnStatus.OK:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server said nothing for {self.patience:g} s") from None
