"""Write results of analyses, findings and their history. Times are UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.finding_tables import analysis_results, finding_events, findings
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings.codec import canonical_json, digest_of, finding_document, result_document
from calmo_pagerduty.findings.lifecycle import (
    OPEN_STATES,
    Change,
    FindingEventKind,
    FindingState,
    StoredFinding,
)
from calmo_pagerduty.findings.model import AnalysisResult, Finding
from calmo_pagerduty.findings.rows import finding_from_row, finding_values, instant
from calmo_pagerduty.kernel.scopes import Scope


@dataclass(frozen=True, slots=True)
class InsertedResult:
    """A stored result. `is_new` is False if the same result was stored before."""

    id: int
    is_new: bool
    digest: str


def get_locked_scope(tx: Transaction, connection_id: str) -> Scope | None:
    """Return a connection's scope, and let no other transaction record its results until this one ends.

    None if there is no such connection, or if it was removed.
    """
    live = connections.c.removed_at.is_(None)
    query = sa.select(connections.c.scope).where(connections.c.id == connection_id, live).with_for_update()
    scope = tx.execute(query).scalar()
    return None if scope is None else Scope.parse(scope)


def insert_result(
    tx: Transaction, connection_id: str, result: AnalysisResult, recorded_at: datetime
) -> InsertedResult:
    """Insert a result unless the same is stored already."""
    document = canonical_json(result_document(result))
    digest = digest_of(document)
    identity = {
        "connection_id": connection_id,
        "analysis": result.analysis,
        "at": instant(result.now),
        "digest": digest,
    }
    row = {
        **identity,
        "version": result.version,
        "snapshot_id": result.snapshot_id,
        "recorded_at": recorded_at,
        "document": document,
    }
    is_new = tx.execute(insert_or_ignore(tx, analysis_results), row).rowcount > 0
    same = [analysis_results.c[name] == value for name, value in identity.items()]
    result_id = tx.execute(sa.select(analysis_results.c.id).where(*same)).scalar_one()
    return InsertedResult(result_id, is_new, digest)


def get_newest_result_time(
    tx: Transaction, connection_id: str, analysis: str, until: datetime
) -> datetime | None:
    """Return the greatest `now` of the stored results of an analysis, not after `until`."""
    query = sa.select(sa.func.max(analysis_results.c.at)).where(
        analysis_results.c.connection_id == connection_id,
        analysis_results.c.analysis == analysis,
        analysis_results.c.at <= until,
    )
    newest: datetime | None = tx.execute(query).scalar()
    return newest


def list_findings_of_analysis(tx: Transaction, connection_id: str, analysis: str) -> list[StoredFinding]:
    """Return all findings of an analysis on a connection, in whatever state, in the order of their ids."""
    query = sa.select(findings).where(
        findings.c.connection_id == connection_id, findings.c.analysis == analysis
    )
    return [finding_from_row(row) for row in tx.execute(query.order_by(findings.c.id))]


def list_open_findings(tx: Transaction, connection_id: str) -> list[StoredFinding]:
    """Return the findings of a connection that aren't resolved, in the order of their ids."""
    query = sa.select(findings).where(
        findings.c.connection_id == connection_id, findings.c.state != FindingState.RESOLVED
    )
    return [finding_from_row(row) for row in tx.execute(query.order_by(findings.c.id))]


def insert_finding(
    tx: Transaction, connection_id: str, analysis: str, finding: Finding, at: datetime
) -> StoredFinding:
    """Insert a new finding."""
    row = {
        **finding_values(finding),
        "connection_id": connection_id,
        "analysis": analysis,
        "code": finding.code,
        "key": finding.key,
        "state": FindingState.NEW,
        "is_present": True,
        "first_seen_at": at,
        "last_seen_at": at,
        "changed_at": at,
    }
    inserted = tx.execute(findings.insert(), row).inserted_primary_key
    assert inserted is not None
    return StoredFinding(inserted[0], connection_id, analysis, finding, FindingState.NEW, True, at, at, at)


def update_found(
    tx: Transaction, stored: StoredFinding, finding: Finding, change: Change, at: datetime
) -> StoredFinding:
    """Update a finding that a run found again."""
    values: dict[str, Any] = {"state": change.state, "is_present": True, "last_seen_at": at}
    values |= _changed_at(change, at) | _decision_of(change)
    _update(tx, stored.id, {**finding_values(finding), **values})
    return replace(stored, finding=finding, **values)


def update_gone(tx: Transaction, stored: StoredFinding, change: Change, at: datetime) -> StoredFinding:
    """Update a finding that a conclusive run did not find."""
    values: dict[str, Any] = {"state": change.state, "is_present": False}
    values |= _changed_at(change, at) | _decision_of(change)
    _update(tx, stored.id, values)
    return replace(stored, **values)


def update_decided(
    tx: Transaction, stored: StoredFinding, change: Change, author: str, at: datetime
) -> StoredFinding:
    """Update a finding that a person decided on. Undoing a decision removes it."""
    values: dict[str, Any] = {"state": change.state, "changed_at": at}
    if change.kind is FindingEventKind.UNDONE:
        values |= _NO_DECISION
    else:
        values |= {
            "decided_by": author,
            "reason": change.reason,
            "decided_severity": stored.finding.severity,
        }
    _update(tx, stored.id, values)
    return replace(stored, **values)


def update_issue_id(tx: Transaction, finding_id: int, issue_id: str) -> None:
    """Set the issue that a finding opened."""
    _update(tx, finding_id, {"issue_id": issue_id})


def insert_event(
    tx: Transaction,
    stored: StoredFinding,
    kind: FindingEventKind,
    at: datetime,
    *,
    author: str | None = None,
    reason: str | None = None,
    result_id: int | None = None,
) -> int:
    """Append an event to a finding's history, with the finding's state and evidence. Return its number."""
    row = {
        "finding_id": stored.id,
        "at": at,
        "kind": kind,
        "state": stored.state,
        "severity": stored.finding.severity,
        "author": author,
        "reason": reason,
        "result_id": result_id,
        "evidence": finding_document(stored.finding)["evidence"],
    }
    inserted = tx.execute(finding_events.insert(), row).inserted_primary_key
    assert inserted is not None
    number: int = inserted[0]
    return number


def delete_old_results(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete results recorded before a time, and those of removed connections. Return how many."""
    is_due = sa.or_(
        analysis_results.c.recorded_at < older_than, analysis_results.c.connection_id.in_(_REMOVED)
    )
    due = sa.select(analysis_results.c.id).where(is_due).limit(limit)
    return tx.execute(sa.delete(analysis_results).where(analysis_results.c.id.in_(due))).rowcount


def delete_findings_of_removed_connections(tx: Transaction, limit: int) -> int:
    """Delete findings of removed connections with their history. Return how many."""
    due = sa.select(findings.c.id).where(findings.c.connection_id.in_(_REMOVED)).limit(limit)
    ids = list(tx.execute(due).scalars())
    tx.execute(sa.delete(finding_events).where(finding_events.c.finding_id.in_(ids)))
    return tx.execute(sa.delete(findings).where(findings.c.id.in_(ids))).rowcount


def delete_gone_findings(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete findings that no result has had since a time, with their history. Return how many."""
    is_gone = ~findings.c.is_present & (findings.c.changed_at < older_than)
    is_over = findings.c.state.not_in(OPEN_STATES) & (findings.c.last_seen_at < older_than)
    ids = list(tx.execute(sa.select(findings.c.id).where(is_gone, is_over).limit(limit)).scalars())
    tx.execute(sa.delete(finding_events).where(finding_events.c.finding_id.in_(ids)))
    return tx.execute(sa.delete(findings).where(findings.c.id.in_(ids))).rowcount


_REMOVED = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
#: A finding that was resolved or returned waits for a new decision.
_NO_DECISION: dict[str, Any] = {"decided_by": None, "reason": None, "decided_severity": None}


def _decision_of(change: Change) -> dict[str, Any]:
    over = {FindingEventKind.RETURNED, FindingEventKind.RESOLVED}
    return _NO_DECISION if change.kind in over else {}


def _changed_at(change: Change, at: datetime) -> dict[str, Any]:
    return {"changed_at": at} if change.kind is not None else {}


def _update(tx: Transaction, finding_id: int, values: Mapping[str, Any]) -> None:
    tx.execute(sa.update(findings).where(findings.c.id == finding_id).values(**values))
