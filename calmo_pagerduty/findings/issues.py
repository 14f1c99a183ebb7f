"""The issue that a finding opens: once, closed and reopened as the finding is.

The issue's id is computed from connection, analysis, code and key of the finding, so that there can't be two.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.findings.lifecycle import FindingEventKind, FindingState, StoredFinding
from calmo_pagerduty.findings.model import Entity, FindingSeverity
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.json_values import storable_text
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty import event_types
from calmo_pagerduty.pagerduty.event_types import IncidentStatus, rule_of
from calmo_pagerduty.pagerduty.webhook_events import MAX_TEXT, Reference

#: No id of PagerDuty's has a colon.
FINDING_PREFIX = "finding:"

SEVERITY_OF_ISSUE: Mapping[FindingSeverity, Severity] = {
    FindingSeverity.CRITICAL: Severity.CRITICAL,
    FindingSeverity.HIGH: Severity.WARNING,
    FindingSeverity.MEDIUM: Severity.MEDIUM,
    FindingSeverity.LOW: Severity.INFO,
    FindingSeverity.INFO: Severity.INFO,
}
STATUS_OF_ISSUE: Mapping[FindingState, IncidentStatus] = {
    FindingState.NEW: IncidentStatus.TRIGGERED,
    FindingState.RETURNED: IncidentStatus.TRIGGERED,
    FindingState.ACCEPTED: IncidentStatus.ACKNOWLEDGED,
    FindingState.DISMISSED: IncidentStatus.RESOLVED,
    FindingState.RESOLVED: IncidentStatus.RESOLVED,
}
EVENT_OF_ISSUE: Mapping[FindingEventKind, str] = {
    FindingEventKind.FOUND: event_types.FINDING_OPENED,
    FindingEventKind.RETURNED: event_types.FINDING_REOPENED,
    FindingEventKind.WORSENED: event_types.FINDING_CHANGED,
    FindingEventKind.EASED: event_types.FINDING_CHANGED,
    FindingEventKind.RESOLVED: event_types.FINDING_CLOSED,
    FindingEventKind.ACCEPTED: event_types.FINDING_ACCEPTED,
    FindingEventKind.DISMISSED: event_types.FINDING_DISMISSED,
    FindingEventKind.UNDONE: event_types.FINDING_UNDONE,
}


def issue_ref(stored: StoredFinding) -> IncidentRef:
    """Return the reference from which the issue's id is computed."""
    identity = "\n".join((stored.analysis, stored.finding.code, stored.finding.key))
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32]
    return IncidentRef(connection_id=stored.connection_id, incident_id=f"{FINDING_PREFIX}{digest}")


def wants_issue(stored: StoredFinding, has_issue: bool) -> bool:
    """Tell whether the finding has an issue, or shall have one from now on.

    What is about persons never does: everybody in the scope reads issues.
    """
    finding = stored.finding
    opens = finding.opens_issue and not finding.about_persons
    return has_issue or (opens and STATUS_OF_ISSUE[stored.state] is not IncidentStatus.RESOLVED)


def issue_after(
    before: Issue | None,
    stored: StoredFinding,
    scope: Scope,
    kind: FindingEventKind | None,
    at: datetime,
    reason: str | None = None,
) -> Issue:
    """Return the issue of a finding. `kind` is what happened to the finding at `at` for this reason; None:
    only its figures changed.
    """
    finding, status = stored.finding, STATUS_OF_ISSUE[stored.state]
    issue = before or _new_issue(stored, scope)
    is_resolved = status is IncidentStatus.RESOLVED
    issue = replace(
        issue,
        title=storable_text(finding.title, MAX_TEXT),
        severity=SEVERITY_OF_ISSUE[finding.severity],
        expected_dropped=finding.expected_dropped_incidents,
        status=status,
        resolve_reason=issue.resolve_reason if is_resolved else None,
        resolved_at=(issue.resolved_at or at) if is_resolved else None,
    )
    if kind is None:
        return issue
    if is_resolved:
        issue = replace(issue, resolve_reason=reason)
    if kind is FindingEventKind.ACCEPTED:
        issue = replace(issue, acknowledged_at=issue.acknowledged_at or at)
    if kind is FindingEventKind.RETURNED:
        issue = replace(issue, reopened_at=at)
    return replace(issue, updated_at=at, as_of=at, last_event_at=at, last_event_type=EVENT_OF_ISSUE[kind])


def entry_of(
    stored: StoredFinding,
    kind: FindingEventKind,
    number: int,
    at: datetime,
    *,
    moved: bool,
    author: str | None = None,
    reason: str | None = None,
) -> TimelineEntry:
    """Return the timeline entry of a finding's event, whose `number` keeps it from standing there twice."""
    event_type = EVENT_OF_ISSUE[kind]
    rule = rule_of(event_type)
    by = f" by {author}" if author else ""
    detail = reason or (stored.finding.recommendation if kind is FindingEventKind.FOUND else "")
    return TimelineEntry(
        event_id=f"{FINDING_PREFIX}{number}",
        event_type=event_type,
        action=rule.action,
        occurred_at=at,
        seq=number,
        actor=None,
        summary=storable_text(f"{rule.timeline_text}{by}{f': {detail}' if detail else ''}", MAX_TEXT),
        moved=moved,
        author=author,
    )


def issue_closed(issue: Issue, at: datetime, reason: str) -> tuple[Issue, TimelineEntry]:
    """Return the issue closed without its finding, which is gone, and the entry for its timeline."""
    event_type = EVENT_OF_ISSUE[FindingEventKind.RESOLVED]
    rule = rule_of(event_type)
    closed = replace(
        issue,
        status=IncidentStatus.RESOLVED,
        resolve_reason=reason,
        resolved_at=at,
        updated_at=at,
        as_of=at,
        last_event_at=at,
        last_event_type=event_type,
    )
    entry = TimelineEntry(
        event_id=f"{FINDING_PREFIX}gone",
        event_type=event_type,
        action=rule.action,
        occurred_at=at,
        seq=0,
        actor=None,
        summary=f"{rule.timeline_text}: {reason}",
        moved=True,
    )
    return closed, entry


def _new_issue(stored: StoredFinding, scope: Scope) -> Issue:
    finding = stored.finding
    return Issue(
        ref=issue_ref(stored),
        scope=scope,
        title=finding.title,
        status=IncidentStatus.TRIGGERED,
        severity=SEVERITY_OF_ISSUE[finding.severity],
        created_at=stored.first_seen_at,
        updated_at=stored.first_seen_at,
        service=_reference(_first(finding.entities, "service"), "service_reference"),
        escalation_policy=_reference(_first(finding.entities, "policy"), "escalation_policy_reference"),
        teams=tuple(
            reference
            for entity in finding.entities
            if entity.kind == "team" and (reference := _reference(entity, "team_reference"))
        ),
        url=next((entity.html_url for entity in finding.entities if entity.html_url), None),
        origin=IssueOrigin.FINDING,
        finding_id=stored.id,
    )


def _first(entities: tuple[Entity, ...], kind: str) -> Entity | None:
    return next((entity for entity in entities if entity.kind == kind), None)


def _reference(entity: Entity | None, type_name: str) -> Reference | None:
    if entity is None:
        return None
    name = storable_text(entity.name, MAX_TEXT)
    return Reference(id=entity.id, type=type_name, name=name, url=entity.html_url)
