"""Convert findings and their events to rows, and back."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from calmo_pagerduty.findings.codec import finding_document, finding_from_document
from calmo_pagerduty.findings.lifecycle import (
    FindingEvent,
    FindingEventKind,
    FindingState,
    StoredFinding,
    severity_rank,
)
from calmo_pagerduty.findings.model import Entity, Finding, FindingSeverity
from calmo_pagerduty.findings.persons import USER
from calmo_pagerduty.kernel.json_values import storable_text

#: Stands before a person's id in `entity_ids` of a finding about persons.
PERSON_MARK = "~"
MAX_ID = 200
#: Orders findings without an expectation behind all others.
UNKNOWN_DROPPED = -1.0


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def entity_mark(finding: Finding, entity: Entity) -> str:
    """Return how the filter by entity finds it. A person whom only some readers may see is marked."""
    hidden = finding.about_persons and entity.kind == USER
    return f"{PERSON_MARK if hidden else ''}{storable_text(entity.id, MAX_ID)}"


def finding_values(finding: Finding) -> dict[str, Any]:
    """Return the columns that each run of the analysis sets anew."""
    document = finding_document(finding)
    dropped = document["expected_dropped_incidents"]
    return {
        "severity": finding.severity,
        "severity_rank": severity_rank(finding.severity),
        "expected_dropped": UNKNOWN_DROPPED if dropped is None else dropped,
        "entity_ids": "".join(f"|{entity_mark(finding, entity)}" for entity in finding.entities) + "|",
        "document": document,
    }


def finding_from_row(row: Row[Any]) -> StoredFinding:
    decided = row.decided_severity
    return StoredFinding(
        id=row.id,
        connection_id=row.connection_id,
        analysis=row.analysis,
        finding=finding_from_document(row.document),
        state=FindingState(row.state),
        is_present=row.is_present,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        changed_at=row.changed_at,
        decided_by=row.decided_by,
        reason=row.reason,
        decided_severity=None if decided is None else FindingSeverity(decided),
        issue_id=row.issue_id,
    )


def event_from_row(row: Row[Any]) -> FindingEvent:
    return FindingEvent(
        id=row.id,
        at=row.at,
        kind=FindingEventKind(row.kind),
        state=FindingState(row.state),
        severity=FindingSeverity(row.severity),
        author=row.author,
        reason=row.reason,
        evidence=tuple(row.evidence),
    )
