"""Read issues with their response targets, and insert notices about targets into timelines."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.connections.response_targets import ResponseTargets
from calmo_pagerduty.db.statements import insert_or_ignore, lock_change_order
from calmo_pagerduty.db.tables import connections, issue_changes, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.response_targets import (
    TARGET_PREFIX,
    ResponseClock,
    ResponseTimes,
    TargetNotice,
    due_notices,
    pending_notices,
    response_clock_of,
    response_times_of,
)
from calmo_pagerduty.incidents.rows import issue_from_row
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, rule_of

#: Made once, as each save of events asks.
_TARGETS = sa.select(connections.c.id, connections.c.response_targets).where(
    connections.c.id.in_(bindparam("connections", expanding=True)),
    connections.c.response_targets.is_not(None),
)


@dataclass(frozen=True, slots=True)
class TrackedIssue:
    """An issue whose connection has targets."""

    issue: Issue
    targets: ResponseTargets
    clock: ResponseClock
    #: Notices that the timeline doesn't have yet: due now or later.
    pending: tuple[TargetNotice, ...]


def get_tracked_issue(tx: Transaction, ref: IncidentRef) -> TrackedIssue | None:
    """Return an issue with its targets; None if there is no such issue or its connection has no targets."""
    targets = _get_targets(tx, [ref.connection_id]).get(ref.connection_id)
    if targets is None:
        return None
    is_incident = issues.c.origin == IssueOrigin.INCIDENT
    row = tx.execute(sa.select(issues).where(issues.c.id == ref.issue_id, is_incident)).one_or_none()
    if row is None:
        return None
    issue = issue_from_row(row)
    clock = response_clock_of(issue, _get_first_acknowledgements(tx, [issue]).get(ref.issue_id))
    query = sa.select(timeline.c.event_id).where(
        timeline.c.issue_id == ref.issue_id, timeline.c.event_id.like(f"{TARGET_PREFIX}%")
    )
    inserted = set(tx.execute(query).scalars())
    return TrackedIssue(issue, targets, clock, pending_notices(clock, targets, inserted))


def insert_due_notices(tx: Transaction, tracked_issue: TrackedIssue, now: datetime) -> None:
    """Put the notices that are due on the timeline. A repeated call changes nothing."""
    notices = due_notices(tracked_issue.pending, now)
    rows = [
        row
        for notice in notices
        if (row := _notice_row(tracked_issue.issue, notice)) and _insert_entry(tx, row)
    ]
    if rows:
        lock_change_order(tx)
        tx.execute(
            issue_changes.insert().values(
                issue_id=tracked_issue.issue.ref.issue_id,
                scope=str(tracked_issue.issue.scope),
                at=now,
                event_types=[row["event_type"] for row in rows],
                status=tracked_issue.issue.status,
            )
        )


def get_response_times(tx: Transaction, listed: Collection[Issue]) -> Mapping[str, ResponseTimes]:
    """Return issue id → response times and targets. An issue that a finding opened has no targets."""
    targets = _get_targets(tx, {issue.ref.connection_id for issue in listed})
    since = _get_first_acknowledgements(tx, listed)
    return {
        issue.ref.issue_id: response_times_of(
            response_clock_of(issue, since.get(issue.ref.issue_id)),
            targets.get(issue.ref.connection_id) if issue.origin is IssueOrigin.INCIDENT else None,
        )
        for issue in listed
    }


def _get_targets(tx: Transaction, connection_ids: Collection[str]) -> dict[str, ResponseTargets]:
    rows = tx.execute(_TARGETS, {"connections": list(connection_ids)})
    return {row.id: ResponseTargets.model_validate(row.response_targets) for row in rows}


def _get_first_acknowledgements(tx: Transaction, listed: Collection[Issue]) -> dict[str, datetime]:
    """Return issue id → first acknowledgement after the last reopening, for reopened issues."""
    reopened = [issue.ref.issue_id for issue in listed if issue.reopened_at is not None]
    if not reopened:
        return {}
    query = (
        sa.select(timeline.c.issue_id, sa.func.min(timeline.c.occurred_at).label("at"))
        .join(issues, issues.c.id == timeline.c.issue_id)
        .where(
            timeline.c.issue_id.in_(reopened),
            timeline.c.event_type == EventType.ACKNOWLEDGED,
            timeline.c.occurred_at >= issues.c.reopened_at,
        )
        .group_by(timeline.c.issue_id)
    )
    return {row.issue_id: row.at for row in tx.execute(query)}


def _notice_row(issue: Issue, notice: TargetNotice) -> dict[str, Any]:
    rule = rule_of(notice.event_type)
    return {
        "issue_id": issue.ref.issue_id,
        "event_id": notice.event_id,
        "event_type": notice.event_type,
        "action": rule.action,
        "occurred_at": notice.at,
        "seq": 0,
        "summary": f"{rule.timeline_text}: {notice.words}",
        "moved": False,
    }


def _insert_entry(tx: Transaction, row: dict[str, Any]) -> bool:
    return tx.execute(insert_or_ignore(tx, timeline), row).rowcount == 1
