"""Read kept reports, and what webhooks told of incidents, within a reader's visibility."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.report_tables import kept_reports, report_addresses, report_deliveries
from calmo_pagerduty.db.tables import connections, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.incidents.model import IssueOrigin
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.reports.model import MadeReport, SeenIncident
from calmo_pagerduty.reports.rendering import report_from_document


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


def list_reports(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int = 100
) -> Sequence[Any]:
    """Return a connection's kept reports without their documents, the newest first."""
    columns = [column for column in kept_reports.c if column.name != "document"]
    query = sa.select(*columns).join(connections, connections.c.id == kept_reports.c.connection_id)
    query = query.where(
        visible_to(connections.c.scope, visibility), kept_reports.c.connection_id == connection_id
    )
    return tx.execute(query.order_by(kept_reports.c.made_at.desc(), kept_reports.c.id).limit(limit)).all()


def get_report(
    tx: Transaction, visibility: Visibility, connection_id: str, report_id: str
) -> MadeReport | None:
    """Return a kept report; None if the connection has no such report, or the reader may not see it."""
    query = sa.select(kept_reports.c.document).join(
        connections, connections.c.id == kept_reports.c.connection_id
    )
    document = tx.execute(
        query.where(
            visible_to(connections.c.scope, visibility),
            kept_reports.c.connection_id == connection_id,
            kept_reports.c.id == report_id,
        )
    ).scalar()
    return None if document is None else report_from_document(json.loads(document))


def list_deliveries(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int = 200
) -> Sequence[Any]:
    """Return attempts to deliver the connection's reports, the newest first."""
    table = report_deliveries.c
    query = (
        sa.select(
            table.report_id.label("report"),
            table.attempt,
            table.at,
            table.outcome,
            table.status,
            table.reason,
        )
        .join(connections, connections.c.id == table.connection_id)
        .where(visible_to(connections.c.scope, visibility), table.connection_id == connection_id)
    )
    return tx.execute(query.order_by(table.id.desc()).limit(limit)).all()


def get_address(tx: Transaction, visibility: Visibility, connection_id: str) -> Any | None:
    """Return where the connection's reports are sent, without the secret; None if nowhere."""
    table = report_addresses.c
    query = (
        sa.select(table.url, table.set_by, table.set_at)
        .join(connections, connections.c.id == table.connection_id)
        .where(visible_to(connections.c.scope, visibility), table.connection_id == connection_id)
    )
    return tx.execute(query).one_or_none()
