"""Read what webhooks told of incidents, within a reader's visibility. Times are epoch seconds (UTC)."""

from datetime import UTC, datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.incidents.model import IssueOrigin
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.reports.model import SeenIncident


def list_seen_incidents(
    tx: Transaction, visibility: Visibility, connection_id: str, window: Span
) -> tuple[SeenIncident, ...]:
    """Return the connection's incidents that began within the window, as their issues' timelines tell."""
    start, end = (datetime.fromtimestamp(at, UTC) for at in window)
    is_ack = timeline.c.event_type == EventType.ACKNOWLEDGED
    query = (
        sa.select(
            issues.c.incident_id,
            issues.c.created_at,
            sa.func.min(sa.case((is_ack, timeline.c.occurred_at))).label("acknowledged_at"),
            sa.func.count(timeline.c.author).label("actions"),
        )
        .join(timeline, timeline.c.issue_id == issues.c.id)
        .where(
            visible_to(issues.c.scope, visibility),
            issues.c.connection_id == connection_id,
            issues.c.origin == IssueOrigin.INCIDENT,
            issues.c.created_at >= start,
            issues.c.created_at < end,
        )
        .group_by(issues.c.incident_id, issues.c.created_at)
        .order_by(issues.c.created_at, issues.c.incident_id)
    )
    return tuple(
        SeenIncident(
            row.incident_id,
            int(row.created_at.timestamp()),
            None if row.acknowledged_at is None else int(row.acknowledged_at.timestamp()),
            row.actions,
        )
        for row in tx.execute(query)
    )
