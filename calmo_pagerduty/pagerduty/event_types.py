"""The mapping from PagerDuty's event types to their effects on an issue.

Source: PagerDuty's webhook documentation (event types and their data) and the product's event table.
The simulator has its own list from the same documentation. Neither is derived from the other, so a test
finds a mistake in either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class IncidentStatus(StrEnum):
    """PagerDuty's three statuses. A snoozed incident is acknowledged."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IssueAction(StrEnum):
    """The effect of an event on its issue. RECORD only adds a timeline entry."""

    CREATE = "create"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    UPDATE = "update"
    RECORD = "record"
    #: The event is about no incident (a service, a ping). Only the delivery log has it.
    NONE = "none"


class EventType(StrEnum):
    """The event types that PagerDuty documents. More will come: see `rule_of`."""

    TRIGGERED = "incident.triggered"
    ACKNOWLEDGED = "incident.acknowledged"
    UNACKNOWLEDGED = "incident.unacknowledged"
    RESOLVED = "incident.resolved"
    REOPENED = "incident.reopened"
    ESCALATED = "incident.escalated"
    REASSIGNED = "incident.reassigned"
    DELEGATED = "incident.delegated"
    PRIORITY_UPDATED = "incident.priority_updated"
    SERVICE_UPDATED = "incident.service_updated"
    INCIDENT_TYPE_CHANGED = "incident.incident_type.changed"
    ANNOTATED = "incident.annotated"
    STATUS_UPDATE_PUBLISHED = "incident.status_update_published"
    RESPONDER_ADDED = "incident.responder.added"
    RESPONDER_REPLIED = "incident.responder.replied"
    CONFERENCE_BRIDGE_UPDATED = "incident.conference_bridge.updated"
    CUSTOM_FIELD_VALUES_UPDATED = "incident.custom_field_values.updated"
    ROLE_ASSIGNED = "incident.role.assigned"
    TASK_CREATED = "incident.task.created"
    TASK_UPDATED = "incident.task.updated"
    TASK_COMPLETED = "incident.task.completed"
    ACTION_INVOCATION_CREATED = "incident.action_invocation.created"
    ACTION_INVOCATION_UPDATED = "incident.action_invocation.updated"
    ACTION_INVOCATION_TERMINATED = "incident.action_invocation.terminated"
    WORKFLOW_STARTED = "incident.workflow.started"
    WORKFLOW_COMPLETED = "incident.workflow.completed"
    SERVICE_CREATED = "service.created"
    SERVICE_SETTINGS_UPDATED = "service.updated"
    SERVICE_DELETED = "service.deleted"
    SERVICE_CUSTOM_FIELD_VALUES_UPDATED = "service.custom_field_values.updated"
    PING = "pagey.ping"


@dataclass(frozen=True, slots=True)
class EventRule:
    """The action of an event type, its text for the timeline, and the status that it proves by itself.

    `status` is None if the event's data holds the status, or if the event doesn't change it.
    """

    action: IssueAction
    timeline_text: str
    status: IncidentStatus | None = None


EVENT_RULES: Mapping[EventType, EventRule] = {
    EventType.TRIGGERED: EventRule(IssueAction.CREATE, "triggered", IncidentStatus.TRIGGERED),
    EventType.ESCALATED: EventRule(IssueAction.CREATE, "escalated"),
    EventType.RESPONDER_ADDED: EventRule(IssueAction.CREATE, "responder added"),
    EventType.PRIORITY_UPDATED: EventRule(IssueAction.CREATE, "priority updated"),
    EventType.ACKNOWLEDGED: EventRule(IssueAction.ACKNOWLEDGE, "acknowledged", IncidentStatus.ACKNOWLEDGED),
    EventType.RESOLVED: EventRule(IssueAction.RESOLVE, "resolved", IncidentStatus.RESOLVED),
    EventType.ANNOTATED: EventRule(IssueAction.UPDATE, "note added"),
    EventType.DELEGATED: EventRule(IssueAction.UPDATE, "delegated"),
    EventType.REASSIGNED: EventRule(IssueAction.UPDATE, "reassigned"),
    EventType.RESPONDER_REPLIED: EventRule(IssueAction.UPDATE, "responder replied"),
    # A reopened incident may be acknowledged again already: the event's data holds its status.
    EventType.REOPENED: EventRule(IssueAction.REOPEN, "reopened"),
    EventType.UNACKNOWLEDGED: EventRule(IssueAction.REOPEN, "unacknowledged", IncidentStatus.TRIGGERED),
    EventType.SERVICE_UPDATED: EventRule(IssueAction.RECORD, "moved to another service"),
    EventType.INCIDENT_TYPE_CHANGED: EventRule(IssueAction.RECORD, "incident type changed"),
    EventType.STATUS_UPDATE_PUBLISHED: EventRule(IssueAction.RECORD, "status update published"),
    EventType.CONFERENCE_BRIDGE_UPDATED: EventRule(IssueAction.RECORD, "conference bridge updated"),
    EventType.CUSTOM_FIELD_VALUES_UPDATED: EventRule(IssueAction.RECORD, "custom fields updated"),
    EventType.ROLE_ASSIGNED: EventRule(IssueAction.RECORD, "role assigned"),
    EventType.TASK_CREATED: EventRule(IssueAction.RECORD, "task created"),
    EventType.TASK_UPDATED: EventRule(IssueAction.RECORD, "task updated"),
    EventType.TASK_COMPLETED: EventRule(IssueAction.RECORD, "task completed"),
    EventType.ACTION_INVOCATION_CREATED: EventRule(IssueAction.RECORD, "action started"),
    EventType.ACTION_INVOCATION_UPDATED: EventRule(IssueAction.RECORD, "action updated"),
    EventType.ACTION_INVOCATION_TERMINATED: EventRule(IssueAction.RECORD, "action ended"),
    EventType.WORKFLOW_STARTED: EventRule(IssueAction.RECORD, "incident workflow started"),
    EventType.WORKFLOW_COMPLETED: EventRule(IssueAction.RECORD, "incident workflow completed"),
    EventType.SERVICE_CREATED: EventRule(IssueAction.NONE, "service created"),
    EventType.SERVICE_SETTINGS_UPDATED: EventRule(IssueAction.NONE, "service updated"),
    EventType.SERVICE_DELETED: EventRule(IssueAction.NONE, "service deleted"),
    EventType.SERVICE_CUSTOM_FIELD_VALUES_UPDATED: EventRule(
        IssueAction.NONE, "service custom fields updated"
    ),
    EventType.PING: EventRule(IssueAction.NONE, "ping"),
}

#: Ours: reconciliation found that the issue differed from its incident at PagerDuty.
RECONCILED = "calmo.reconciled"
#: Ours: PagerDuty sends no event for it, so only snoozes made through us are on the timeline.
SNOOZED = "calmo.snoozed"
#: Ours: a response target is near, or was missed.
RESPONSE_TARGET_NEAR = "calmo.target_near"
RESPONSE_TARGET_MISSED = "calmo.target_missed"
#: Ours: what became of the finding that opened the issue.
FINDING_OPENED = "calmo.finding_opened"
FINDING_REOPENED = "calmo.finding_reopened"
FINDING_CHANGED = "calmo.finding_changed"
FINDING_ACCEPTED = "calmo.finding_accepted"
FINDING_DISMISSED = "calmo.finding_dismissed"
FINDING_CLOSED = "calmo.finding_closed"
FINDING_UNDONE = "calmo.finding_undone"
_OWN_EVENT_RULES: Mapping[str, EventRule] = {
    RECONCILED: EventRule(IssueAction.UPDATE, "brought in line with PagerDuty"),
    SNOOZED: EventRule(IssueAction.RECORD, "snoozed"),
    RESPONSE_TARGET_NEAR: EventRule(IssueAction.RECORD, "response target near"),
    RESPONSE_TARGET_MISSED: EventRule(IssueAction.RECORD, "response target missed"),
    FINDING_OPENED: EventRule(IssueAction.CREATE, "opened by a finding"),
    FINDING_REOPENED: EventRule(IssueAction.REOPEN, "reopened: found again"),
    FINDING_CHANGED: EventRule(IssueAction.UPDATE, "severity changed"),
    FINDING_ACCEPTED: EventRule(IssueAction.ACKNOWLEDGE, "finding accepted"),
    FINDING_DISMISSED: EventRule(IssueAction.RESOLVE, "finding dismissed"),
    FINDING_CLOSED: EventRule(IssueAction.RESOLVE, "closed by itself"),
    FINDING_UNDONE: EventRule(IssueAction.UPDATE, "decision undone"),
}

#: The rule for a type that PagerDuty adds later: accept it and record it.
UNKNOWN_INCIDENT_EVENT = EventRule(IssueAction.RECORD, "event of a new type")


def rule_of(event_type: str) -> EventRule:
    """Return the rule for an event type. An unknown type is only recorded."""
    if event_type in EVENT_TYPES:
        return EVENT_RULES[EventType(event_type)]
    return _OWN_EVENT_RULES.get(event_type, UNKNOWN_INCIDENT_EVENT)


EVENT_TYPES: frozenset[str] = frozenset(EventType)
OWN_EVENT_TYPES = frozenset(_OWN_EVENT_RULES)
