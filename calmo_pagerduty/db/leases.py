"""Leases: exclusive rights of one process for a limited time, measured by the database's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.db.statements import get_database_time, insert_or_ignore, upsert
from calmo_pagerduty.db.tables import leases
from calmo_pagerduty.db.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a lease, and until when if it is not renewed (UTC)."""

    name: str
    holder: str
    until: datetime


def list_leases(tx: Transaction) -> tuple[Lease, ...]:
    """Return the leases that are held now, by name."""
    held = sa.select(leases).where(leases.c.until > get_database_time(tx)).order_by(leases.c.name)
    return tuple(Lease(row.name, row.holder, row.until) for row in tx.execute(held))


def is_claimable(tx: Transaction, name: str, holder: str) -> bool:
    """Tell whether nobody else holds the lease, without a write."""
    others = sa.select(leases.c.name).where(
        leases.c.name == name, leases.c.holder != holder, leases.c.until > get_database_time(tx)
    )
    return tx.execute(others).first() is None


def claim_lease(tx: Transaction, name: str, holder: str, ttl: timedelta) -> bool:
    """Claim or renew a lease. Returns True if the holder has it for `ttl` from now."""
    now = get_database_time(tx)
    ours = {"holder": holder, "until": now + ttl}
    tx.execute(insert_or_ignore(tx, leases), {"name": name, **ours})
    free = sa.or_(leases.c.holder == holder, leases.c.until <= now)
    taken = sa.update(leases).where(leases.c.name == name, free).values(**ours)
    return tx.execute(taken).rowcount == 1


def delete_lease(tx: Transaction, name: str, holder: str) -> None:
    """Release the lease, so that another process can claim it at once."""
    tx.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def leave_mark(tx: Transaction, name: str, holder: str) -> None:
    """Write a row that nobody reads, which shows that the database takes writes."""
    row = {"name": name, "holder": holder, "until": get_database_time(tx)}
    tx.execute(upsert(tx, leases), row)
