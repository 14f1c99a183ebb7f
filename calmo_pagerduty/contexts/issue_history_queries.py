"""Read our own issues as an account's history, for a connection without a PagerDuty token."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.rows import entry_from_row, issue_from_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import IncidentStatus

#: A context uses at most so many of the newest issues.
MAX_ISSUES = 3000
_BATCH_SIZE = 200


def get_issue(tx: Transaction, ref: IncidentRef) -> Issue | None:
    row = tx.execute(sa.select(issues).where(issues.c.id == ref.issue_id)).one_or_none()
    return issue_from_row(row) if row else None


def list_other_open_issues(tx: Transaction, ref: IncidentRef) -> list[Issue]:
    """Return the connection's other issues that are open, newest first."""
    query = sa.select(issues).where(*_is_other_issue(ref), issues.c.status != IncidentStatus.RESOLVED)
    return [issue_from_row(row) for row in tx.execute(query.order_by(issues.c.created_at.desc()).limit(300))]


def list_past_issues(
    tx: Transaction, ref: IncidentRef, since: datetime, until: datetime
) -> list[tuple[Issue, Sequence[TimelineEntry]]]:
    """Return the connection's other issues begun in [since, until), newest first, with their timelines."""
    query = sa.select(issues).where(
        *_is_other_issue(ref), issues.c.created_at >= since, issues.c.created_at < until
    )
    query = query.order_by(issues.c.created_at.desc(), issues.c.id).limit(MAX_ISSUES)
    past = [issue_from_row(row) for row in tx.execute(query)]
    entries: dict[str, list[TimelineEntry]] = {}
    ids = [issue.ref.issue_id for issue in past]
    for start in range(0, len(ids), _BATCH_SIZE):
        for row in tx.execute(
            sa.select(timeline)
            .where(timeline.c.issue_id.in_(ids[start : start + _BATCH_SIZE]))
            .order_by(timeline.c.occurred_at, timeline.c.seq)
        ):
            entries.setdefault(row.issue_id, []).append(entry_from_row(row))
    return [(issue, entries.get(issue.ref.issue_id, ())) for issue in past]


def _is_other_issue(ref: IncidentRef) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        issues.c.connection_id == ref.connection_id,
        issues.c.id != ref.issue_id,
        issues.c.origin == IssueOrigin.INCIDENT,
    )
