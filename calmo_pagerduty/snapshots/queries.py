"""Read snapshots for callers. An account's snapshots are visible to whoever sees its connection."""

from datetime import datetime

from sqlalchemy.sql.selectable import Select

from calmo_pagerduty.db.tables import account_snapshots, connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.snapshots.rows import SNAPSHOTS, SnapshotState, StoredSnapshot, snapshot_from_row


def get_latest_snapshot(
    tx: Transaction, visibility: Visibility, connection_id: str, as_of: datetime | None = None
) -> StoredSnapshot | None:
    """Return the newest complete snapshot, taken at or before `as_of` (UTC) if it is given."""
    query = _visible(visibility).where(
        account_snapshots.c.connection_id == connection_id,
        account_snapshots.c.state == SnapshotState.COMPLETE,
    )
    if as_of is not None:
        query = query.where(account_snapshots.c.taken_at <= as_of)
    row = tx.execute(_newest_first(query).limit(1)).one_or_none()
    return snapshot_from_row(row) if row else None


def get_snapshot(tx: Transaction, visibility: Visibility, snapshot_id: str) -> StoredSnapshot | None:
    row = tx.execute(_visible(visibility).where(account_snapshots.c.id == snapshot_id)).one_or_none()
    return snapshot_from_row(row) if row else None


def list_snapshots(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int
) -> tuple[StoredSnapshot, ...]:
    """Return the newest snapshots of a connection, newest first."""
    query = _visible(visibility).where(account_snapshots.c.connection_id == connection_id)
    return tuple(snapshot_from_row(row) for row in tx.execute(_newest_first(query).limit(limit)))


def _visible(visibility: Visibility) -> Select[tuple[object, ...]]:
    joined = SNAPSHOTS.join(connections, connections.c.id == account_snapshots.c.connection_id)
    return joined.where(visible_to(connections.c.scope, visibility), connections.c.removed_at.is_(None))


def _newest_first(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.order_by(account_snapshots.c.taken_at.desc(), account_snapshots.c.id.desc())
