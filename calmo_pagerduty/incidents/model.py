"""The issue: ours, exactly one per incident and connection, as people and services see it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calmo_pagerduty.connections.severity import DEFAULT_SEVERITY, Severity
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.timeline import TimelineEntry, event_entry
from calmo_pagerduty.kernel.as_of import AsOf
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import IncidentSnapshot, Reference, WebhookEvent


@dataclass(frozen=True, slots=True)
class Issue:
    """One incident as we hold it. Times are UTC.

    `as_of` and `as_of_seq` say which event the picture comes from; an older one never replaces it.
    `assigned_as_of` says when `assignees` were: a resolved incident keeps those it had before.
    """

    ref: IncidentRef
    scope: Scope
    title: str
    status: IncidentStatus
    severity: Severity
    created_at: datetime
    updated_at: datetime
    number: int | None = None
    urgency: str | None = None
    priority: str | None = None
    service: Reference | None = None
    escalation_policy: Reference | None = None
    assignees: tuple[Reference, ...] = ()
    assigned_as_of: datetime | None = None
    teams: tuple[Reference, ...] = ()
    url: str | None = None
    resolve_reason: str | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    reopened_at: datetime | None = None
    as_of: datetime | None = None
    as_of_seq: int = 0
    last_event_type: str | None = None
    last_event_at: datetime | None = None
    needs_reconcile: bool = False

    @property
    def picture_as_of(self) -> AsOf | None:
        return AsOf.of(self.as_of, self.as_of_seq)


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event on its way to the timeline: thin facts from the workflow, text from the delivery log.

    `event` is None if the body is no longer kept; the facts alone then make the entry.
    """

    facts: EventFacts
    event: WebhookEvent | None


def new_issue(ref: IncidentRef, scope: Scope, first: ReceivedEvent, now: datetime) -> Issue:
    """An issue from whichever event came first, with what that event tells."""
    title = first.event.incident_title if first.event else None
    return Issue(
        ref=ref,
        scope=scope,
        title=title or f"PagerDuty incident {ref.incident_id}",
        status=IncidentStatus.TRIGGERED,
        severity=DEFAULT_SEVERITY,
        created_at=first.facts.occurred_at,
        updated_at=now,
    )


def apply_events(
    issue: Issue, events: Sequence[ReceivedEvent], severity: Severity, now: datetime
) -> tuple[Issue, tuple[TimelineEntry, ...]]:
    """Return the issue after events that it has not seen, and their timeline entries.

    The order in which events are given doesn't matter. `severity` is what the workflow decided for
    the newest picture of the incident.
    """
    after, entries = issue, []
    for received in sorted(events, key=lambda each: each.facts.as_of):
        after = _with_times(after, received.facts)
        moved = received.facts.shows_incident and received.facts.as_of.is_newer_than(after.picture_as_of)
        if moved:
            after = _with_current_state(after, received, severity)
        after = _with_resolution(_with_assignees(after, received), received.facts)
        entries.append(event_entry(received.facts, received.event, moved))
    return replace(after, updated_at=now), tuple(entries)


def _with_times(issue: Issue, facts: EventFacts) -> Issue:
    """First acknowledgement, latest reopening, latest event: each holds in any order of arrival."""
    at = facts.occurred_at
    changes: dict[str, datetime | str] = {}
    if issue.last_event_at is None or at >= issue.last_event_at:
        changes |= {"last_event_type": facts.event_type, "last_event_at": at}
    if at < issue.created_at:
        changes["created_at"] = at
    if facts.event_type == EventType.ACKNOWLEDGED:
        changes["acknowledged_at"] = min(issue.acknowledged_at or at, at)
    if facts.event_type == EventType.REOPENED:
        changes["reopened_at"] = max(issue.reopened_at or at, at)
    return replace(issue, **changes)  # type: ignore[arg-type]  # each name has its type above


def _with_current_state(issue: Issue, received: ReceivedEvent, severity: Severity) -> Issue:
    facts = received.facts
    status = facts.status or issue.status
    moved = replace(
        issue,
        status=status,
        severity=severity,
        priority=facts.priority,
        number=facts.number if facts.number is not None else issue.number,
        resolved_at=issue.resolved_at if status is IncidentStatus.RESOLVED else None,
        as_of=facts.occurred_at,
        as_of_seq=facts.seq,
    )
    snapshot = received.event.snapshot if received.event else None
    return _with_snapshot(moved, snapshot) if snapshot else moved


def _with_resolution(issue: Issue, facts: EventFacts) -> Issue:
    """The latest resolution, in any order of arrival; none while the incident is open."""
    if facts.event_type != EventType.RESOLVED or issue.status is not IncidentStatus.RESOLVED:
        return issue
    return replace(issue, resolved_at=max(issue.resolved_at or facts.occurred_at, facts.occurred_at))


def _with_assignees(issue: Issue, received: ReceivedEvent) -> Issue:
    """PagerDuty empties the assignees of a resolved incident; who had it is worth keeping, also if
    the event that tells comes after the resolve.
    """
    snapshot, at = received.event.snapshot if received.event else None, received.facts.occurred_at
    if snapshot is None or (issue.assigned_as_of is not None and at < issue.assigned_as_of):
        return issue
    if received.facts.status is IncidentStatus.RESOLVED and not snapshot.assignees:
        return issue
    return replace(issue, assignees=snapshot.assignees, assigned_as_of=at)


def _with_snapshot(issue: Issue, snapshot: IncidentSnapshot) -> Issue:
    resolved = issue.status is IncidentStatus.RESOLVED
    return replace(
        issue,
        title=snapshot.title or issue.title,
        urgency=snapshot.urgency or issue.urgency,
        service=snapshot.service or issue.service,
        escalation_policy=snapshot.escalation_policy or issue.escalation_policy,
        teams=snapshot.teams,
        url=snapshot.url or issue.url,
        created_at=min(snapshot.created_at or issue.created_at, issue.created_at),
        resolve_reason=snapshot.resolve_reason if resolved else None,
    )
