"""Bring the issues of findings in line with them, and close both with their connection. Times are UTC."""

from datetime import datetime

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import store
from calmo_pagerduty.findings.issues import entry_of, issue_after, issue_closed, issue_ref, wants_issue
from calmo_pagerduty.findings.lifecycle import (
    CONNECTION_REMOVED,
    Change,
    FindingEventKind,
    StoredFinding,
    change_when_removed,
)
from calmo_pagerduty.incidents import finding_issue_store as issues
from calmo_pagerduty.kernel.scopes import Scope


def update_issue(
    tx: Transaction,
    scope: Scope,
    stored: StoredFinding,
    change: Change,
    number: int,
    at: datetime,
    author: str | None = None,
) -> None:
    """Bring the finding's issue in line with it, if it has one or shall have one from now on.

    `number` is the event's in the finding's history; without an event it is 0.
    """
    if not wants_issue(stored, stored.issue_id is not None):
        return
    before = issues.get_issue(tx, issue_ref(stored))
    kind = FindingEventKind.FOUND if before is None else change.kind
    after = issue_after(before, stored, scope, kind, at, change.reason)
    if before == after:
        return
    moved = before is None or before.status is not after.status
    entry = None
    if kind is not None:
        entry = entry_of(stored, kind, number, at, moved=moved, author=author, reason=change.reason)
    issues.upsert_issue(tx, after, entry, at)
    if stored.issue_id is None:
        store.update_issue_id(tx, stored.id, after.ref.issue_id)


def resolve_findings_of_removed(tx: Transaction, connection_id: str, scope: Scope, at: datetime) -> int:
    """Resolve the findings of a connection that is being removed, and close their issues. Return how many.

    It belongs to the transaction that removes the connection: nothing is recorded afterwards.
    """
    resolved = 0
    for stored in store.list_open_findings(tx, connection_id):
        change = change_when_removed(stored)
        after = store.update_gone(tx, stored, change, at)
        if change.kind is None:
            continue
        number = store.insert_event(tx, after, change.kind, at, reason=change.reason)
        update_issue(tx, scope, after, change, number, at)
        resolved += 1
    return resolved


def close_issues_of_removed(tx: Transaction, limit: int) -> int:
    """Close issues that findings of removed connections left open, and return how many.

    Earlier versions left them, and deleted their findings.
    """
    left = issues.list_open_of_removed_connections(tx, limit)
    for issue, removed_at in left:
        closed, entry = issue_closed(issue, removed_at, CONNECTION_REMOVED)
        issues.upsert_issue(tx, closed, entry, removed_at)
    return len(left)
