"""Read how past incidents were named and resolved, for callers who see their connection."""

from collections.abc import Mapping

import sqlalchemy as sa

from calmo_pagerduty.contexts.facts import ResolutionText
from calmo_pagerduty.db.tables import account_incidents, connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility


def list_resolution_texts(
    tx: Transaction, visibility: Visibility, connection_id: str
) -> Mapping[str, ResolutionText]:
    """Return what is known of a connection's incidents, by their id at PagerDuty."""
    query = (
        sa.select(account_incidents.c.id, account_incidents.c.title, account_incidents.c.handling)
        .join(connections, connections.c.id == account_incidents.c.connection_id)
        .where(
            account_incidents.c.connection_id == connection_id,
            connections.c.removed_at.is_(None),
            visible_to(connections.c.scope, visibility),
        )
    )
    return {
        row.id: ResolutionText(row.title, (row.handling or {}).get("resolution")) for row in tx.execute(query)
    }
