"""Store weekly digests. Times are UTC."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.digest_tables import oncall_digests
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings.codec import canonical_json
from calmo_pagerduty.findings.rows import instant
from calmo_pagerduty.oncall.digest import Digest
from calmo_pagerduty.oncall.digest_codec import digest_document


def insert_digest(tx: Transaction, digest: Digest, made_at: datetime) -> bool:
    """Insert a digest. Returns False if the connection has a digest of this moment already."""
    row = {
        "connection_id": digest.connection_id,
        "since": instant(digest.since),
        "until": instant(digest.until),
        "made_at": made_at,
        "is_silent": digest.is_silent,
        "document": canonical_json(digest_document(digest)),
    }
    return tx.execute(insert_or_ignore(tx, oncall_digests), row).rowcount > 0


def delete_old_digests(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete digests made before a time, and those of removed connections. Return how many."""
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    is_due = sa.or_(oncall_digests.c.made_at < older_than, oncall_digests.c.connection_id.in_(removed))
    due = sa.select(oncall_digests.c.id).where(is_due).limit(limit)
    return tx.execute(sa.delete(oncall_digests).where(oncall_digests.c.id.in_(due))).rowcount


def get_last_end(tx: Transaction, connection_id: str, before: datetime) -> datetime | None:
    """Return the end of a connection's newest digest that ended before this time."""
    query = sa.select(sa.func.max(oncall_digests.c.until)).where(
        oncall_digests.c.connection_id == connection_id, oncall_digests.c.until < before
    )
    end: datetime | None = tx.execute(query).scalar()
    return end
