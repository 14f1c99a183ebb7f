"""Deletes old rows, in small transactions: what `bounds.py` says. The audit is cut in sealed segments.

Deletions follow row numbers, which grow with time, and stop at the first row that is young enough. So
they read little more than they delete.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.absences import store as absences
from calmo_pagerduty.access import provider_logout_store, session_store, sign_in_flow_store, store as api_keys
from calmo_pagerduty.access.audit_segment_store import SEGMENT_ROWS, AuditIsBroken, seal_segment
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.tables import (
    account_changes,
    account_incidents,
    account_objects,
    connections,
    context_parts,
    contexts,
    dead_letters,
    deliveries,
    delivery_bodies,
    escalation_drills,
    finding_events,
    issue_changes,
    issues,
    operations,
    post_incident_additions,
    reconciliations,
    refusals,
    timeline,
    tool_calls,
)
from calmo_pagerduty.db.tool_tables import CALL_HAS_CONTENTS
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.findings import issue_store as finding_issues, store as findings
from calmo_pagerduty.oncall import digest_store as digests, store as oncall_runs
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.reports import store as reports
from calmo_pagerduty.retention.bounds import Deletion
from calmo_pagerduty.snapshots import store as snapshots
from calmo_pagerduty.snapshots.retention_rules import expired_snapshots
from calmo_pagerduty.workload import store as workload

logger = logging.getLogger(__name__)

BATCH_SIZE = 200
#: An issue has a timeline.
ISSUE_BATCH_SIZE = 20
#: A snapshot has dozens of parts.
SNAPSHOT_BATCH_SIZE = 5
#: States whose events have not reached the issue yet: these deliveries stay.
_IN_FLIGHT_STATES = (DeliveryState.PENDING, DeliveryState.FORWARDED)


@dataclass(frozen=True, slots=True)
class DeletedBatch:
    """The number of changed rows, and `after` for the next batch; None at the end."""

    rows: int
    next_after: int | None


#: Deletes a batch: the rows after a row number that are older than a time (UTC).
DeleteBatch = Callable[[Transaction, int, datetime], DeletedBatch]


def delete_bodies(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
    """Delete bodies of old deliveries that are not in flight."""
    bodies = delivery_bodies
    query = (
        sa.select(bodies.c.seq.label("number"), deliveries.c.received_at.label("at"), deliveries.c.state)
        .join(deliveries, deliveries.c.seq == bodies.c.seq)
        .where(bodies.c.seq > after)
        .order_by(bodies.c.seq)
        .limit(BATCH_SIZE)
    )
    rows = tx.execute(query).all()
    old = [row.number for row in rows if row.at < older_than and row.state not in _IN_FLIGHT_STATES]
    tx.execute(sa.delete(bodies).where(bodies.c.seq.in_(old)))
    return _deleted_batch(rows, old, older_than)


def delete_deliveries(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
    """Delete old rows of the delivery log that are not in flight, with their bodies."""
    query = (
        sa.select(deliveries.c.seq.label("number"), deliveries.c.received_at.label("at"), deliveries.c.state)
        .where(deliveries.c.seq > after)
        .order_by(deliveries.c.seq)
        .limit(BATCH_SIZE)
    )
    rows = tx.execute(query).all()
    old = [row.number for row in rows if row.at < older_than and row.state not in _IN_FLIGHT_STATES]
    tx.execute(sa.delete(delivery_bodies).where(delivery_bodies.c.seq.in_(old)))
    tx.execute(sa.delete(deliveries).where(deliveries.c.seq.in_(old)))
    return _deleted_batch(rows, old, older_than)


def _delete_numbered(table: sa.Table, number: sa.Column[int], at: sa.Column[datetime]) -> DeleteBatch:
    """Return what deletes old rows of a table whose row numbers grow with time."""

    def delete(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
        query = sa.select(number.label("number"), at.label("at")).where(number > after)
        rows = tx.execute(query.order_by(number).limit(BATCH_SIZE)).all()
        old = [row.number for row in rows if row.at < older_than]
        tx.execute(sa.delete(table).where(number.in_(old)))
        return _deleted_batch(rows, old, older_than)

    return delete


def delete_call_contents(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete arguments and results of finished tool calls. The rows stay."""
    old = sa.select(tool_calls.c.id).where(tool_calls.c.finished_at < older_than, CALL_HAS_CONTENTS)
    cleared = sa.update(tool_calls).where(tool_calls.c.id.in_(old.limit(BATCH_SIZE)))
    rows = tx.execute(cleared.values(result=sa.null(), arguments={})).rowcount
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_dead_letter_payloads(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete payloads of dead letters. The rows with their reasons stay."""
    old = sa.select(dead_letters.c.id).where(dead_letters.c.at < older_than, dead_letters.c.payload != "")
    cleared = sa.update(dead_letters).where(dead_letters.c.id.in_(old.limit(BATCH_SIZE)))
    rows = tx.execute(cleared.values(payload="")).rowcount
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_finished_calls(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old tool calls that are finished, with the operations that they carried out."""
    old = sa.select(tool_calls.c.id).where(tool_calls.c.finished_at < older_than).limit(BATCH_SIZE)
    ids = list(tx.execute(old).scalars())
    tx.execute(sa.delete(operations).where(operations.c.id.in_(ids)))
    tx.execute(sa.delete(tool_calls).where(tool_calls.c.id.in_(ids)))
    return DeletedBatch(len(ids), 0 if len(ids) == BATCH_SIZE else None)


def delete_resolved_issues(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete issues that were resolved long ago and not changed since, with their timelines and contexts."""
    old = sa.select(issues.c.id).where(
        issues.c.created_at < older_than,
        issues.c.resolved_at < older_than,
        issues.c.updated_at < older_than,
        issues.c.status == IncidentStatus.RESOLVED,
    )
    ids = list(tx.execute(old.order_by(issues.c.created_at).limit(ISSUE_BATCH_SIZE)).scalars())
    delete_issues(tx, ids)
    return DeletedBatch(len(ids), 0 if len(ids) == ISSUE_BATCH_SIZE else None)


def delete_issues(tx: Transaction, ids: Sequence[str]) -> None:
    """Delete issues with what belongs to them. Their tool calls stay: those are of the connection."""
    for table in (timeline, issue_changes, operations, context_parts, contexts, post_incident_additions):
        tx.execute(sa.delete(table).where(table.c.issue_id.in_(ids)))
    tx.execute(sa.delete(issues).where(issues.c.id.in_(ids)))


def delete_contexts(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old contexts, also of issues that never came."""
    unfinished = contexts.c.finished_at.is_(None) & (contexts.c.begun_at < older_than)
    old = sa.select(contexts.c.issue_id, contexts.c.version).where(
        sa.or_(contexts.c.finished_at < older_than, unfinished)
    )
    keys = [tuple(row) for row in tx.execute(old.limit(BATCH_SIZE))]
    for table in (context_parts, contexts):
        tx.execute(sa.delete(table).where(sa.tuple_(table.c.issue_id, table.c.version).in_(keys)))
    return DeletedBatch(len(keys), 0 if len(keys) == BATCH_SIZE else None)


def delete_drills(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old drills."""
    drills = escalation_drills
    old = sa.select(drills.c.id).where(drills.c.finished_at < older_than).limit(BATCH_SIZE)
    rows = tx.execute(sa.delete(drills).where(drills.c.id.in_(old))).rowcount
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_gone_findings(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete findings that have been gone for long, with their history."""
    rows = findings.delete_gone_findings(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_revoked_keys(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete API keys that were revoked long ago and to which nothing refers."""
    rows = api_keys.delete_revoked(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def cut_audit(keyring: Keyring) -> DeleteBatch:
    """Return what seals old rows of the audit in segments, and deletes them."""

    def cut(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
        try:
            rows = seal_segment(tx, keyring, older_than, datetime.now(UTC))
        except AuditIsBroken as error:
            # What is broken stays as it is, for whoever looks into it.
            logger.error("audit_is_broken", extra={"error": str(error)})
            rows = 0
        return DeletedBatch(rows, 0 if rows == SEGMENT_ROWS else None)

    return cut


def delete_cached_incidents(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old incidents from the account caches."""
    return _delete_cached(tx, account_incidents, account_incidents.c.created_at < older_than)


def delete_cached_changes(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old changes from the account caches."""
    return _delete_cached(tx, account_changes, account_changes.c.at < older_than)


def delete_cached_objects(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete objects (services, people) from the account caches that were not fetched again."""
    return _delete_cached(tx, account_objects, account_objects.c.fetched_at < older_than)


def delete_account_snapshots(tx: Transaction, _after: int, now: datetime) -> DeletedBatch:
    """Delete the snapshots that are not kept at `now` (UTC), and those of removed connections."""
    due = (*snapshots.list_of_removed_connections(tx), *expired_snapshots(snapshots.list_ages(tx), now))
    rows = snapshots.delete_snapshots(tx, due[:SNAPSHOT_BATCH_SIZE])
    return DeletedBatch(rows, 0 if len(due) > rows else None)


def delete_oncall_runs(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old runs of the on-call analyses. Their results and findings stay."""
    rows = oncall_runs.delete_old_runs(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_analysis_results(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old results of analyses, and all findings of removed connections. Their issues are closed."""
    finding_issues.close_issues_of_removed(tx, BATCH_SIZE)
    rows = findings.delete_old_results(tx, older_than, BATCH_SIZE)
    rows += findings.delete_findings_of_removed_connections(tx, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows >= BATCH_SIZE else None)


def delete_digests(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old weekly digests."""
    rows = digests.delete_old_digests(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_kept_reports(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old reports with their deliveries."""
    rows = reports.delete_old_reports(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_cover_requests(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete old requests for cover, which tell of people's nights."""
    rows = workload.delete_old_requests(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_absence_calendars(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Delete calendars of absences that tell of the past only, and those of removed connections."""
    rows = absences.delete_past_calendars(tx, older_than, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_sessions(tx: Transaction, _after: int, now: datetime) -> DeletedBatch:
    """Delete sessions of the dashboard that have ended, and links, sign-ins and tokens that have expired."""
    rows = session_store.delete_ended(tx, now, BATCH_SIZE)
    rows += sign_in_flow_store.delete_expired_flows(tx, now, BATCH_SIZE)
    rows += provider_logout_store.delete_expired_tokens(tx, now, BATCH_SIZE)
    return DeletedBatch(rows, 0 if rows >= BATCH_SIZE else None)


#: What carries out each deletion but the audit's, which needs keys.
DELETIONS: Mapping[Deletion, DeleteBatch] = {
    Deletion.BODIES: delete_bodies,
    Deletion.CALL_CONTENTS: delete_call_contents,
    Deletion.DEAD_LETTER_PAYLOADS: delete_dead_letter_payloads,
    Deletion.DELIVERIES: delete_deliveries,
    Deletion.REFUSALS: _delete_numbered(refusals, refusals.c.id, refusals.c.at),
    Deletion.FINISHED_CALLS: delete_finished_calls,
    Deletion.DEAD_LETTERS: _delete_numbered(dead_letters, dead_letters.c.id, dead_letters.c.at),
    Deletion.ISSUE_CHANGES: _delete_numbered(issue_changes, issue_changes.c.id, issue_changes.c.at),
    Deletion.RECONCILIATIONS: _delete_numbered(
        reconciliations, reconciliations.c.id, reconciliations.c.begun_at
    ),
    Deletion.RESOLVED_ISSUES: delete_resolved_issues,
    Deletion.CONTEXTS: delete_contexts,
    Deletion.DRILLS: delete_drills,
    Deletion.CACHED_INCIDENTS: delete_cached_incidents,
    Deletion.CACHED_CHANGES: delete_cached_changes,
    Deletion.CACHED_OBJECTS: delete_cached_objects,
    Deletion.ONCALL_RUNS: delete_oncall_runs,
    Deletion.ANALYSIS_RESULTS: delete_analysis_results,
    Deletion.FINDING_EVENTS: _delete_numbered(finding_events, finding_events.c.id, finding_events.c.at),
    Deletion.GONE_FINDINGS: delete_gone_findings,
    Deletion.DIGESTS: delete_digests,
    Deletion.KEPT_REPORTS: delete_kept_reports,
    Deletion.ABSENCE_CALENDARS: delete_absence_calendars,
    Deletion.COVER_REQUESTS: delete_cover_requests,
    Deletion.SESSIONS: delete_sessions,
    Deletion.REVOKED_KEYS: delete_revoked_keys,
    Deletion.SNAPSHOTS: delete_account_snapshots,
}


def _delete_cached(tx: Transaction, table: sa.Table, is_old: sa.ColumnElement[bool]) -> DeletedBatch:
    """Delete a batch of an account cache's table: old rows, and all rows of removed connections."""
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    key = sa.tuple_(*table.primary_key.columns)
    expired = sa.select(*table.primary_key.columns).where(is_old | table.c.connection_id.in_(removed))
    keys = [tuple(row) for row in tx.execute(expired.limit(BATCH_SIZE))]
    rows = tx.execute(sa.delete(table).where(key.in_(keys))).rowcount if keys else 0
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def _deleted_batch(rows: Sequence[Any], old: Sequence[int], older_than: datetime) -> DeletedBatch:
    more = len(rows) == BATCH_SIZE and rows[-1].at < older_than
    return DeletedBatch(len(old), rows[-1].number if more else None)
