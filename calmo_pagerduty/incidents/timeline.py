"""Build timeline entries from events and operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.incidents.actions import Operation
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.json_values import as_object, storable_text
from calmo_pagerduty.pagerduty.event_types import OWN_EVENT_TYPES, EventType, IssueAction, rule_of
from calmo_pagerduty.pagerduty.log_entries import RECONCILED_SUFFIX, is_logged
from calmo_pagerduty.pagerduty.webhook_events import (
    MAX_TEXT,
    Json,
    Reference,
    WebhookEvent,
    parse_reference,
    parse_references,
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event or one operation. `moved` is True if it changed the issue's state. Times are UTC.

    `author` started the operation here; `actor` is the agent that PagerDuty names. An echo is the entry of
    an own event: it is stored and not shown, because the operation has an entry of its own.
    """

    event_id: str
    event_type: str
    action: IssueAction
    occurred_at: datetime
    seq: int
    actor: Reference | None
    summary: str
    moved: bool
    author: str | None = None
    operation_id: str | None = None
    is_echo: bool = False


def event_entry(facts: EventFacts, event: WebhookEvent | None, moved: bool) -> TimelineEntry:
    """Return the timeline entry of an event; without its body, the summary comes from its type alone."""
    actor = event.actor if event else None
    return TimelineEntry(
        event_id=facts.event_id,
        event_type=facts.event_type,
        action=rule_of(facts.event_type).action,
        occurred_at=facts.occurred_at,
        seq=facts.seq,
        actor=actor,
        summary=_summary(facts.event_type, event, actor.name or actor.id if actor else None)
        + _origin_suffix(facts.event_id),
        moved=moved,
    )


def operation_entry(
    operation: Operation, facts: EventFacts, event: WebhookEvent | None, moved: bool
) -> TimelineEntry:
    """Return the timeline entry of an operation, from its first own event."""
    event_type = operation.expected[0].event_type
    summary = _summary(event_type, event, f"{operation.author} via Calmo")
    for expected in operation.expected:
        # The mark is for machines.
        summary = summary.replace(str(expected.shows.get("mark", "")) or "\n\n", "").strip()
    return TimelineEntry(
        event_id=operation.entry_id,
        event_type=event_type,
        action=rule_of(event_type).action,
        occurred_at=facts.occurred_at,
        seq=facts.seq,
        actor=(event.actor if event else None) or operation.agent,
        summary=summary,
        moved=moved,
        author=operation.author,
        operation_id=operation.id,
    )


def _origin_suffix(event_id: str) -> str:
    """Return the suffix for an event that reconciliation found and no webhook delivered."""
    return RECONCILED_SUFFIX if is_logged(event_id) else ""


def _summary(event_type: str, event: WebhookEvent | None, actor_name: str | None) -> str:
    text = rule_of(event_type).timeline_text
    if event_type not in (*EventType, *OWN_EVENT_TYPES):
        text = f"{text}: {event_type}"
    by = f" by {actor_name}" if actor_name else ""
    detail = _DETAILS[event_type](event.data) if event and event_type in _DETAILS else ""
    return storable_text(f"{text}{by}{f': {detail}' if detail else ''}", MAX_TEXT)


def _names(*references: Reference | None) -> str:
    return ", ".join(ref.name or ref.id for ref in references if ref)


def _assignees(data: Json) -> str:
    names = _names(*parse_references(data.get("assignees")))
    return f"assigned to {names}" if names else ""


def _text_of(key: str) -> Callable[[Json], str]:
    return lambda data: _text(data.get(key))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name_of(key: str) -> Callable[[Json], str]:
    return lambda data: _names(parse_reference(data.get(key)))


def _responder(data: Json) -> str:
    names = _names(parse_reference(data.get("user")), parse_reference(data.get("escalation_policy")))
    state = data.get("state")
    return f"{names} ({state})" if names and isinstance(state, str) else names


def _priority(data: Json) -> str:
    return _names(parse_reference(data.get("priority"))) or "none"


def _incident_type(data: Json) -> str:
    return _text(as_object(data.get("incident_type")).get("name"))


def _roles(data: Json) -> str:
    assignments = data.get("incident_role_assignments")
    lines = []
    for assignment in assignments[:20] if isinstance(assignments, list) else []:
        if isinstance(assignment, dict):
            assignee = _names(parse_reference(assignment.get("assignee"))) or "nobody"
            lines.append(f"{_names(parse_reference(assignment.get('role'))) or 'role'} is {assignee}")
    return ", ".join(lines)


#: Details that the summary adds to the type's text, from the event's data.
_DETAILS: Mapping[str, Callable[[Json], str]] = {
    EventType.TRIGGERED: _assignees,
    EventType.ESCALATED: _assignees,
    EventType.REASSIGNED: _assignees,
    EventType.DELEGATED: _name_of("escalation_policy"),
    EventType.PRIORITY_UPDATED: _priority,
    EventType.SERVICE_UPDATED: _name_of("service"),
    EventType.INCIDENT_TYPE_CHANGED: _incident_type,
    EventType.ANNOTATED: _text_of("content"),
    EventType.STATUS_UPDATE_PUBLISHED: _text_of("message"),
    EventType.RESPONDER_ADDED: _responder,
    EventType.RESPONDER_REPLIED: _responder,
    EventType.ROLE_ASSIGNED: _roles,
    EventType.TASK_CREATED: _text_of("name"),
    EventType.TASK_UPDATED: _text_of("name"),
    EventType.TASK_COMPLETED: _text_of("name"),
    EventType.ACTION_INVOCATION_CREATED: _name_of("action"),
    EventType.ACTION_INVOCATION_UPDATED: _name_of("action"),
    EventType.ACTION_INVOCATION_TERMINATED: _name_of("action"),
    EventType.WORKFLOW_STARTED: _name_of("incident_workflow"),
    EventType.WORKFLOW_COMPLETED: _name_of("incident_workflow"),
}
