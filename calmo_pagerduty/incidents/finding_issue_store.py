"""Store issues that a finding opened, with their timelines. Times are UTC."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore, lock_change_order
from calmo_pagerduty.db.tables import connections, issue_changes, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.rows import entry_row, issue_from_row, issue_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import IncidentStatus


def get_issue(tx: Transaction, ref: IncidentRef) -> Issue | None:
    """Return the issue, locked until the transaction ends; None if there is none."""
    query = sa.select(issues).where(issues.c.id == ref.issue_id).with_for_update()
    row = tx.execute(query).one_or_none()
    return None if row is None else issue_from_row(row)


def list_open_of_removed_connections(tx: Transaction, limit: int) -> list[tuple[Issue, datetime]]:
    """Return open issues of findings whose connection was removed, and when it was. They are locked."""
    joined = issues.join(connections, connections.c.id == issues.c.connection_id)
    query = (
        sa.select(issues, connections.c.removed_at)
        .select_from(joined)
        .where(
            issues.c.origin == IssueOrigin.FINDING,
            issues.c.status != IncidentStatus.RESOLVED,
            connections.c.removed_at.is_not(None),
        )
        .order_by(issues.c.id)
        .limit(limit)
        .with_for_update(of=issues)
    )
    return [(issue_from_row(row), row.removed_at) for row in tx.execute(query)]


def upsert_issue(tx: Transaction, issue: Issue, entry: TimelineEntry | None, now: datetime) -> None:
    """Write the issue, and put the entry on its timeline. An entry that is there already changes nothing.

    Without an entry, only the issue's text and figures change: readers are told with its next entry.
    """
    row, issue_id = issue_row(issue), issue.ref.issue_id
    if tx.execute(insert_or_ignore(tx, issues), row).rowcount == 0:
        tx.execute(sa.update(issues).where(issues.c.id == issue_id).values(**row))
    if entry is None or tx.execute(insert_or_ignore(tx, timeline), entry_row(issue_id, entry)).rowcount == 0:
        return
    lock_change_order(tx)
    tx.execute(
        issue_changes.insert().values(
            issue_id=issue_id,
            scope=str(issue.scope),
            at=now,
            event_types=[entry.event_type],
            status=issue.status,
        )
    )
