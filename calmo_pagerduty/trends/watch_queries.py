"""Reads what the watch rests on: when incidents began, by service. Times are epoch seconds (UTC)."""

from collections import defaultdict
from datetime import UTC, datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import issues
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility


def list_incident_times(
    tx: Transaction, visibility: Visibility, connection_id: str, since: int
) -> dict[str, list[int]]:
    """Return when a connection's incidents since then began, ascending, by service."""
    query = sa.select(issues.c.service_id, issues.c.created_at).where(
        visible_to(issues.c.scope, visibility),
        issues.c.connection_id == connection_id,
        issues.c.origin == "incident",
        issues.c.service_id.is_not(None),
        issues.c.created_at >= datetime.fromtimestamp(since, UTC),
    )
    times: dict[str, list[int]] = defaultdict(list)
    for row in tx.execute(query.order_by(issues.c.created_at, issues.c.id)):
        times[row.service_id].append(int(row.created_at.timestamp()))
    return times
