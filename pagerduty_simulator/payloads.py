"""Pure builders of webhook payloads: the V3 envelope and the thirteen kinds of `data`.

Source: PagerDuty's Webhooks V3 documentation, "Webhook payload" and "Event data types".
"""

import json
from datetime import UTC, datetime
from typing import Final

from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.references import (
    JsonObject,
    Site,
    action_reference,
    incident_reference,
    policy_reference,
    priority_reference,
    service_reference,
    team_reference,
    user_reference,
    workflow_reference,
    workflow_trigger_reference,
)
from pagerduty_simulator.resources import (
    ActionInvocation,
    ConferenceBridge,
    CustomField,
    Incident,
    Note,
    Responder,
    RoleAssignment,
    Service,
    StatusUpdate,
    Task,
    User,
    WorkflowInstance,
)

# PagerDuty cuts long texts of notes and updates, and sets `trimmed`. Its limit is not published; this
# limit keeps the whole payload well under the 55 KB that PagerDuty guarantees.
MAX_TEXT_CHARACTERS: Final = 10_000


def wire_seconds(at: datetime) -> str:
    """Write a moment as PagerDuty writes `created_at`: UTC, whole seconds, Z."""
    return f"{at.astimezone(UTC).isoformat()[:19]}Z"


def wire_milliseconds(at: datetime) -> str:
    """Write a moment as PagerDuty writes `occurred_at`: UTC, milliseconds, Z."""
    utc = at.astimezone(UTC)
    return f"{utc.isoformat()[:19]}.{utc.microsecond // 1000:03d}Z"


def envelope(
    event_id: str,
    event_type: EventType,
    occurred_at: datetime,
    data: JsonObject,
    *,
    agent: JsonObject | None = None,
    client_name: str | None = None,
) -> JsonObject:
    """Wrap `data` as PagerDuty does; an `agent` of None means automation."""
    return {
        "event": {
            "id": event_id,
            "event_type": str(event_type),
            "resource_type": event_type.partition(".")[0],
            "occurred_at": wire_milliseconds(occurred_at),
            "agent": agent,
            "client": None if client_name is None else {"name": client_name},
            "data": data,
        }
    }


def serialise(payload: JsonObject) -> bytes:
    """Return the exact bytes that are signed and sent."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def user_agent(site: Site, user: User | None) -> JsonObject | None:
    """Return the `agent` for something that `user` did."""
    return None if user is None else user_reference(site, user)


def incident_data(site: Site, incident: Incident) -> JsonObject:
    """Return the `data` of the eleven event types that describe the whole incident."""
    bridge, merged_into = incident.conference_bridge, incident.merged_into
    data: JsonObject = {
        "id": incident.id,
        "type": "incident",
        "self": f"{site.api_url}/incidents/{incident.id}",
        "html_url": f"{site.web_url}/incidents/{incident.id}",
        "number": incident.number,
        "status": str(incident.status),
        "incident_key": incident.incident_key,
        "created_at": wire_seconds(incident.created_at),
        "title": incident.title,
        "incident_type": {"name": incident.incident_type},
        "service": service_reference(site, incident.service),
        "assignees": [user_reference(site, user) for user in incident.assignees],
        "escalation_policy": policy_reference(site, incident.escalation_policy),
        "teams": [team_reference(site, team) for team in incident.teams],
        "priority": incident.priority and priority_reference(site, incident.priority),
        "urgency": incident.urgency,
        "conference_bridge": bridge and {"conference_number": bridge.number, "conference_url": bridge.url},
        "resolve_reason": merged_into
        and {
            "type": "merge_resolve_reason",
            "incident": incident_reference(site, merged_into),
        },
    }
    if incident.reopened_at is not None:
        data["reopened_at"] = wire_seconds(incident.reopened_at)
    return data


def note_data(site: Site, incident: Incident, note: Note) -> JsonObject:
    """Describe a note; `id` is the note's id."""
    return {
        "incident": incident_reference(site, incident),
        "id": note.id,
        "content": note.content[:MAX_TEXT_CHARACTERS],
        "trimmed": len(note.content) > MAX_TEXT_CHARACTERS,
        "type": "incident_note",
    }


def status_update_data(site: Site, incident: Incident, update: StatusUpdate) -> JsonObject:
    """Describe a published status update."""
    return {
        "incident": incident_reference(site, incident),
        "id": update.id,
        "message": update.message[:MAX_TEXT_CHARACTERS],
        "trimmed": len(update.message) > MAX_TEXT_CHARACTERS,
        "type": "incident_status_update",
    }


def responder_data(site: Site, incident: Incident, responder: Responder) -> JsonObject:
    """Describe a responder who was requested or has replied; the object has no id."""
    return {
        "incident": incident_reference(site, incident),
        "user": user_reference(site, responder.user),
        "escalation_policy": policy_reference(site, responder.escalation_policy),
        "message": responder.message,
        "state": responder.state,
        "type": "incident_responder",
    }


def conference_bridge_data(site: Site, incident: Incident, bridge: ConferenceBridge) -> JsonObject:
    """Describe where the responders meet."""
    return {
        "incident": incident_reference(site, incident),
        "conference_numbers": [{"label": "", "number": bridge.number}],
        "conference_url": bridge.url,
        "type": "incident_conference_bridge",
    }


def _field_value(custom_field: CustomField, namespace: str | None) -> JsonObject:
    is_multi_value = isinstance(custom_field.value, tuple)
    value: JsonObject = {
        "data_type": custom_field.data_type,
        "field_type": "multi_value" if is_multi_value else "single_value",
        "id": custom_field.id,
        "name": custom_field.name,
        "type": "field_value",
        "value": list(custom_field.value or ()) if is_multi_value else custom_field.value,
    }
    # Only the fields of incidents carry their namespace.
    return value if namespace is None else value | {"namespace": namespace}


def incident_field_values_data(
    site: Site, incident: Incident, changed: tuple[CustomField, ...]
) -> JsonObject:
    """Describe all custom fields; `changed` has the changed fields with their old values."""
    return {
        "incident": incident_reference(site, incident),
        "custom_fields": [_field_value(custom_field, "incidents") for custom_field in incident.custom_fields],
        "changed_custom_fields": [_field_value(custom_field, "incidents") for custom_field in changed],
        "type": "incident_field_values",
    }


def role_assignment_data(
    site: Site, incident: Incident, assignments: tuple[RoleAssignment, ...]
) -> JsonObject:
    """Describe assigned and removed roles: an array, with the incident inside each element."""
    return {
        "type": "incident_role_assignment",
        "incident_role_assignments": [
            {
                "assignee": user_agent(site, assignment.assignee),
                "id": assignment.id,
                "incident": incident_reference(site, incident),
                "old_assignee": user_agent(site, assignment.old_assignee),
                "role": {
                    "id": assignment.role_id,
                    "summary": assignment.role_name,
                    "type": "role_reference",
                },
                "status": "active" if assignment.assignee else "inactive",
                "type": "role_assignment_reference",
            }
            for assignment in assignments
        ],
    }


def task_data(site: Site, incident: Incident, task: Task) -> JsonObject:
    """Describe a task."""
    return {
        "name": task.name,
        "description": task.description,
        "id": task.id,
        "summary": task.name,
        "type": "incident_task",
        "status": task.status,
        "assignees": [user_reference(site, user) for user in task.assignees],
        "incident": incident_reference(site, incident),
    }


def action_invocation_data(site: Site, incident: Incident, invocation: ActionInvocation) -> JsonObject:
    """Describe one run of an automation action."""
    action = f"rundeck-actions/actions/{invocation.action_id}"
    return {
        "id": invocation.id,
        "self": f"{site.api_url}/automation/invocations/{invocation.id}",
        "html_url": f"{site.web_url}/{action}/invocations/{invocation.id}/report",
        "incident": incident_reference(site, incident),
        "action": action_reference(site, invocation.action_id, invocation.action_name),
        "state": invocation.state,
        "type": "incident_action_invocation",
    }


def workflow_instance_data(site: Site, incident: Incident, instance: WorkflowInstance) -> JsonObject:
    """Describe one run of an incident workflow."""
    return {
        "id": instance.id,
        "type": "incident_workflow_instance",
        "summary": instance.workflow_name,
        "incident_workflow": workflow_reference(site, instance.workflow_id, instance.workflow_name),
        "workflow_trigger": workflow_trigger_reference(site, instance.trigger_id, instance.trigger_name),
        "incident": incident_reference(site, incident),
        "service": service_reference(site, incident.service),
    }


def service_data(site: Site, service: Service) -> JsonObject:
    """Describe a service that was created, updated or deleted."""
    reference = service_reference(site, service)
    teams = [team_reference(site, team) for team in service.teams]
    return reference | {
        "alert_creation": service.alert_creation,
        "teams": teams,
        "type": "service",
    }


def service_field_values_data(site: Site, service: Service, changed: tuple[CustomField, ...]) -> JsonObject:
    """Describe a service's custom fields; `changed` has the changed fields with their old values."""
    return {
        "service": service_reference(site, service),
        "custom_fields": [_field_value(custom_field, None) for custom_field in service.custom_fields],
        "changed_custom_fields": [_field_value(custom_field, None) for custom_field in changed],
        "type": "service_field_values",
    }


def ping_data() -> JsonObject:
    """Describe PagerDuty's test event."""
    return {"message": "Hello from the simulator's Pagey!", "type": "ping"}
