"""PagerDuty's webhook event types and the `data.type` each one carries.

Source: PagerDuty's Webhooks V3 documentation, "Event types" (30 types and the test ping).
The product has its own list from the same documentation. The lists are independent, so a mistake in one of
them fails a test.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class EventType(StrEnum):
    """All documented event types, in the documentation's spelling."""

    TRIGGERED = "incident.triggered"
    ACKNOWLEDGED = "incident.acknowledged"
    UNACKNOWLEDGED = "incident.unacknowledged"
    RESOLVED = "incident.resolved"
    REOPENED = "incident.reopened"
    ESCALATED = "incident.escalated"
    REASSIGNED = "incident.reassigned"
    DELEGATED = "incident.delegated"
    PRIORITY_UPDATED = "incident.priority_updated"
    SERVICE_CHANGED = "incident.service_updated"
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
    SERVICE_UPDATED = "service.updated"
    SERVICE_DELETED = "service.deleted"
    SERVICE_CUSTOM_FIELD_VALUES_UPDATED = "service.custom_field_values.updated"
    PING = "pagey.ping"


_OWN_DATA_TYPES: Final[Mapping[EventType, str]] = {
    EventType.ANNOTATED: "incident_note",
    EventType.STATUS_UPDATE_PUBLISHED: "incident_status_update",
    EventType.RESPONDER_ADDED: "incident_responder",
    EventType.RESPONDER_REPLIED: "incident_responder",
    EventType.CONFERENCE_BRIDGE_UPDATED: "incident_conference_bridge",
    EventType.CUSTOM_FIELD_VALUES_UPDATED: "incident_field_values",
    EventType.ROLE_ASSIGNED: "incident_role_assignment",
    EventType.TASK_CREATED: "incident_task",
    EventType.TASK_UPDATED: "incident_task",
    EventType.TASK_COMPLETED: "incident_task",
    EventType.ACTION_INVOCATION_CREATED: "incident_action_invocation",
    EventType.ACTION_INVOCATION_UPDATED: "incident_action_invocation",
    EventType.ACTION_INVOCATION_TERMINATED: "incident_action_invocation",
    EventType.WORKFLOW_STARTED: "incident_workflow_instance",
    EventType.WORKFLOW_COMPLETED: "incident_workflow_instance",
    EventType.SERVICE_CREATED: "service",
    EventType.SERVICE_UPDATED: "service",
    EventType.SERVICE_DELETED: "service",
    EventType.SERVICE_CUSTOM_FIELD_VALUES_UPDATED: "service_field_values",
    EventType.PING: "ping",
}

# The eleven remaining types describe the whole incident.
DATA_TYPES: Final[Mapping[EventType, str]] = MappingProxyType(
    {event_type: _OWN_DATA_TYPES.get(event_type, "incident") for event_type in EventType}
)
