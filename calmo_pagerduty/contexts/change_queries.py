"""Read changes that the account cache holds, for callers who see their connection."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.analysis.inputs import Change
from calmo_pagerduty.db.tables import account_changes, connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility

#: More changes in a window say nothing about a single incident.
MAX_CHANGES = 5_000


def list_changes(
    tx: Transaction, visibility: Visibility, connection_id: str, since: datetime
) -> tuple[Change, ...]:
    """Return a connection's changes since a time (UTC), the newest first."""
    query = (
        sa.select(account_changes.c.data)
        .join(connections, connections.c.id == account_changes.c.connection_id)
        .where(
            account_changes.c.connection_id == connection_id,
            account_changes.c.at >= since,
            connections.c.removed_at.is_(None),
            visible_to(connections.c.scope, visibility),
        )
    )
    rows = tx.execute(query.order_by(account_changes.c.at.desc(), account_changes.c.id).limit(MAX_CHANGES))
    return tuple(codec.CHANGE.from_json(row.data) for row in rows)
