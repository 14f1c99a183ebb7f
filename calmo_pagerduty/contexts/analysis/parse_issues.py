"""Turn our issues and timelines into an assessment's inputs, for use instead of requests to PagerDuty."""

from collections.abc import Mapping, Sequence

from calmo_pagerduty.contexts.analysis.inputs import LogLine, OpenIncident, PastIncident, ThisIncident
from calmo_pagerduty.contexts.analysis.parse_logs import IncidentHandling, summarise_handling, with_handling
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.log_entries import EVENT_OF_KIND

_KIND_OF_EVENT: Mapping[str, str] = {str(event): kind for kind, event in EVENT_OF_KIND.items()}


def this_incident_from_issue(issue: Issue) -> ThisIncident:
    return ThisIncident(
        id=issue.ref.incident_id,
        title=issue.title,
        created_at=issue.created_at,
        status=str(issue.status),
        number=issue.number,
        service=issue.service,
        teams=issue.teams,
        escalation_policy=issue.escalation_policy,
        assignees=issue.assignees,
        urgency=issue.urgency,
        priority=issue.priority,
        url=issue.url,
    )


def open_incident_from_issue(issue: Issue) -> OpenIncident | None:
    if issue.service is None:
        return None
    return OpenIncident(
        issue.ref.incident_id,
        issue.title,
        issue.service.id,
        issue.created_at,
        str(issue.status),
        issue.number,
        issue.urgency,
        issue.priority,
        issue.url,
    )


def past_incident_from_issue(issue: Issue, entries: Sequence[TimelineEntry]) -> PastIncident | None:
    if issue.service is None:
        return None
    past = PastIncident(
        id=issue.ref.incident_id,
        title=issue.title,
        service_id=issue.service.id,
        created_at=issue.created_at,
        number=issue.number,
        resolved_at=issue.resolved_at,
        urgency=issue.urgency,
        priority=issue.priority,
        url=issue.url,
        handed_to_team_ids=tuple(team.id for team in issue.teams),
    )
    handling: IncidentHandling = summarise_handling(log_lines_from_timeline(entries))
    return with_handling(past, handling)


def log_lines_from_timeline(entries: Sequence[TimelineEntry]) -> tuple[LogLine, ...]:
    """Turn a timeline into log lines. An event type without a log entry type keeps its own name."""
    return tuple(
        LogLine(
            id=entry.event_id,
            kind=_KIND_OF_EVENT.get(entry.event_type, entry.event_type.removeprefix("incident.")),
            at=entry.occurred_at,
            agent=entry.actor if entry.actor and entry.actor.type.startswith("user") else None,
            text=entry.summary if entry.event_type == EventType.ANNOTATED else "",
        )
        for entry in entries
    )
