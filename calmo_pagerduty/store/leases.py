"""Leases: what only one process may do at a time. The database's clock rules, not the holders'."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from calmo_pagerduty.store.statements import insert_or_ignore, time_of
from calmo_pagerduty.store.tables import leases


def take(connection: Connection, name: str, holder: str, ttl: timedelta) -> bool:
    """Take or renew a lease. Returns whether it is ours for `ttl` from now."""
    now = time_of(connection)
    ours = {"holder": holder, "until": now + ttl}
    connection.execute(insert_or_ignore(connection, leases), {"name": name, **ours})
    free = sa.or_(leases.c.holder == holder, leases.c.until <= now)
    taken = sa.update(leases).where(leases.c.name == name, free).values(**ours)
    return connection.execute(taken).rowcount == 1


def release(connection: Connection, name: str, holder: str) -> None:
    """Let another process go on at once."""
    connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))
