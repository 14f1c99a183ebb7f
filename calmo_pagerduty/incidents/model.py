"""The issue: our record of one incident as seen through one connection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.connections.severity import DEFAULT_SEVERITY, Severity
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.timeline import TimelineEntry, event_entry
from calmo_pagerduty.kernel.as_of import AsOf
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import IncidentSnapshot, Reference, WebhookEvent


class IssueOrigin(StrEnum):
    """What opened an issue."""

    INCIDENT = "incident"
    #: A finding of an on-call analysis. PagerDuty knows no incident of it, so nothing is asked of PagerDuty.
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Issue:
    """Our record of one incident, or of one finding that opened an issue. Times are UTC.

    `as_of` and `as_of_seq` identify the event that the state comes from; an older event never replaces it.
    `assigned_as_of` is the time of `assignees`: a resolved incident keeps the assignees it had before.
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
    origin: IssueOrigin = IssueOrigin.INCIDENT
    #: The finding that opened it, and the incidents that nobody would be paged for.
    finding_id: int | None = None
    expected_dropped: float | None = None

    @property
    def picture_as_of(self) -> AsOf | None:
        """The event that the issue's state comes from; None if no event has shown it yet."""
        return AsOf.of(self.as_of, self.as_of_seq)


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event before it is on the timeline: facts from the workflow, texts from the inbox.

    `event` is None if the inbox no longer has the body; the timeline entry then comes from the facts alone.
    """

    facts: EventFacts
    event: WebhookEvent | None


def new_issue(ref: IncidentRef, scope: Scope, first: ReceivedEvent, now: datetime) -> Issue:
    """Return a new issue with the data of the first event to arrive, whichever it is."""
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
    """Return the issue after new events, and their timeline entries.

    The order of `events` doesn't matter. `severity` is the workflow's decision for the newest state.
    """
    after, entries = issue, []
    for received in sorted(events, key=lambda event: event.facts.as_of):
        after = _with_times(after, received.facts)
        moved = received.facts.shows_incident and received.facts.as_of.is_newer_than(after.picture_as_of)
        if moved:
            after = _with_current_state(after, received, severity)
        after = _with_resolution(_with_assignees(after, received), received.facts)
        entries.append(event_entry(received.facts, received.event, moved))
    return replace(after, updated_at=now), tuple(entries)


def _with_times(issue: Issue, facts: EventFacts) -> Issue:
    """Set the first acknowledgement, latest reopening and latest event, in any order of arrival."""
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
    """Set the latest resolution, in any order of arrival; an open incident has none."""
    if facts.event_type != EventType.RESOLVED or issue.status is not IncidentStatus.RESOLVED:
        return issue
    return replace(issue, resolved_at=max(issue.resolved_at or facts.occurred_at, facts.occurred_at))


def _with_assignees(issue: Issue, received: ReceivedEvent) -> Issue:
    """Set the newest assignees. PagerDuty removes them when it resolves an incident; we keep the last ones,
    even if their event arrives after the resolution.
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
