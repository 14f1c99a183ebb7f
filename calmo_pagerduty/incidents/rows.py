"""Convert issues and timeline entries to rows, and back."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import IncidentStatus, IssueAction
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Fields that a row and an Issue have with the same name and value.
_PLAIN_COLUMNS = (
    "title", "number", "urgency", "priority", "url", "resolve_reason", "created_at", "updated_at",
    "assigned_as_of", "acknowledged_at", "resolved_at", "reopened_at", "as_of", "as_of_seq",
    "last_event_type", "last_event_at", "needs_reconcile", "finding_id", "expected_dropped",
)  # fmt: skip


def issue_row(issue: Issue) -> dict[str, Any]:
    return {name: getattr(issue, name) for name in _PLAIN_COLUMNS} | {
        "id": issue.ref.issue_id,
        "connection_id": issue.ref.connection_id,
        "incident_id": issue.ref.incident_id,
        "scope": str(issue.scope),
        "status": issue.status,
        "severity": issue.severity,
        "origin": issue.origin,
        "service_id": issue.service.id if issue.service else None,
        "service": _json(issue.service),
        "escalation_policy": _json(issue.escalation_policy),
        "assignees": [_json(assignee) for assignee in issue.assignees],
        "teams": [_json(team) for team in issue.teams],
    }


def issue_from_row(row: Row[Any]) -> Issue:
    """Return the issue of a row of `issues`."""
    return Issue(
        ref=IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id),
        scope=Scope.parse(row.scope),
        status=IncidentStatus(row.status),
        severity=Severity(row.severity),
        origin=IssueOrigin(row.origin),
        service=_reference(row.service),
        escalation_policy=_reference(row.escalation_policy),
        assignees=_references(row.assignees),
        teams=_references(row.teams),
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )


def entry_row(issue_id: str, entry: TimelineEntry) -> dict[str, Any]:
    return {
        "issue_id": issue_id,
        "event_id": entry.event_id,
        "event_type": entry.event_type,
        "action": entry.action,
        "occurred_at": entry.occurred_at,
        "seq": entry.seq,
        "actor": _json(entry.actor),
        "summary": entry.summary,
        "moved": entry.moved,
        "author": entry.author,
        "operation_id": entry.operation_id,
        "is_echo": entry.is_echo,
    }


def entry_from_row(row: Row[Any]) -> TimelineEntry:
    """Return the entry of a row of `timeline`."""
    return TimelineEntry(
        event_id=row.event_id,
        event_type=row.event_type,
        action=IssueAction(row.action),
        occurred_at=row.occurred_at,
        seq=row.seq,
        actor=_reference(row.actor),
        summary=row.summary,
        moved=row.moved,
        author=row.author,
        operation_id=row.operation_id,
        is_echo=row.is_echo,
    )


def _json(value: Reference | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"id": value.id, "type": value.type, "name": value.name, "url": value.url}


def _reference(value: dict[str, Any] | None) -> Reference | None:
    return Reference(**value) if value else None


def _references(values: Sequence[dict[str, Any]]) -> tuple[Reference, ...]:
    return tuple(Reference(**value) for value in values)
