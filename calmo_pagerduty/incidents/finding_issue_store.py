"""Store issues that a finding opened, with their timelines. Times are UTC."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore, lock_change_order
from calmo_pagerduty.db.tables import issue_changes, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.rows import entry_row, issue_from_row, issue_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef


def get_issue(tx: Transaction, ref: IncidentRef) -> Issue | None:
    """Return the issue, locked until the transaction ends; None if there is none."""
    query = sa.select(issues).where(issues.c.id == ref.issue_id).with_for_update()
    row = tx.execute(query).one_or_none()
    return None if row is None else issue_from_row(row)


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
