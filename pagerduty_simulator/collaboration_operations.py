"""Operations on an incident that leave its status: notes, responders, roles, tasks, actions, workflows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from pagerduty_simulator import identifiers, payloads
from pagerduty_simulator.account_state import AccountState, OperationRefused
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import (
    ActionInvocation,
    ConferenceBridge,
    CustomField,
    FieldValue,
    Incident,
    Note,
    Responder,
    RoleAssignment,
    StatusUpdate,
    Task,
    WorkflowInstance,
)

_AT_ONCE: Final = timedelta(0)
_TASK_EVENTS: Final[Mapping[str, EventType]] = {
    "todo": EventType.TASK_UPDATED,
    "in_progress": EventType.TASK_UPDATED,
    "done": EventType.TASK_COMPLETED,
}
_INVOCATION_EVENTS: Final[Mapping[str, EventType]] = {
    "running": EventType.ACTION_INVOCATION_UPDATED,
    "completed": EventType.ACTION_INVOCATION_TERMINATED,
    "error": EventType.ACTION_INVOCATION_TERMINATED,
}


def with_field_values(
    fields: tuple[CustomField, ...], values: Mapping[str, FieldValue], new_id: Mapping[str, str]
) -> tuple[tuple[CustomField, ...], tuple[CustomField, ...]]:
    """Return all fields with the new values, and the changed fields with their OLD values."""
    by_name = {field.name: field for field in fields}
    before = {name: by_name.get(name) or CustomField(new_id[name], name, None) for name in values}
    changed = tuple(old for name, old in before.items() if old.value != values[name])
    after = by_name | {name: replace(old, value=values[name]) for name, old in before.items()}
    return tuple(after.values()), changed


class CollaborationOperations(AccountState):
    """The operations whose event carries an object of its own, with a reference to the incident."""

    def annotate(self, incident_id: str, content: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Leave a note; resolved incidents take notes too."""
        incident, at = self.incident(incident_id), self._next_moment(_AT_ONCE)
        note = Note(identifiers.object_id(self.rng), content, at, self._user_or_none(by))
        noted = replace(incident, notes=(*incident.notes, note))
        data = payloads.note_data(self.site, noted, note)
        return self._save_and_emit(EventType.ANNOTATED, noted, by, at, data)

    def publish_status_update(
        self,
        incident_id: str,
        message: str,
        *,
        subject: str | None = None,
        html_message: str | None = None,
        by: str | None = None,
    ) -> tuple[Event, ...]:
        """Publish a status update to the stakeholders."""
        incident, at = self.incident(incident_id), self._next_moment(_AT_ONCE)
        author, update_id = self._user_or_none(by), identifiers.object_id(self.rng)
        update = StatusUpdate(update_id, message, at, author, subject, html_message)
        updated = replace(incident, status_updates=(*incident.status_updates, update))
        data = payloads.status_update_data(self.site, updated, update)
        return self._save_and_emit(EventType.STATUS_UPDATE_PUBLISHED, updated, by, at, data)

    def add_responder(
        self, incident_id: str, user_id: str, message: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Request a responder; the answer is pending."""
        incident, now = self.incident(incident_id), self.now()
        responder = Responder(
            self.users[user_id],
            incident.escalation_policy,
            message,
            requester=self._user_or_none(by),
            requested_at=now,
            updated_at=now,
        )
        others = tuple(other for other in incident.responders if other.user.id != user_id)
        asked = replace(incident, responders=(*others, responder))
        data = payloads.responder_data(self.site, asked, responder)
        return self._emit(EventType.RESPONDER_ADDED, asked, by, data)

    def responder_replied(self, incident_id: str, user_id: str, state: str = "joined") -> tuple[Event, ...]:
        """Reply to a responder request with joined or declined; the agent is the requested person."""
        incident = self.incident(incident_id)
        asked = [responder for responder in incident.responders if responder.user.id == user_id]
        if not asked or state not in {"joined", "declined"}:
            raise OperationRefused(2001, "Nobody asked this user, or the reply is unknown")
        reply = replace(asked[0], state=state, updated_at=self.now())
        others = tuple(responder for responder in incident.responders if responder.user.id != user_id)
        replied = replace(incident, responders=(*others, reply))
        data = payloads.responder_data(self.site, replied, reply)
        return self._emit(EventType.RESPONDER_REPLIED, replied, user_id, data)

    def set_conference_bridge(
        self, incident_id: str, number: str, url: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set the conference bridge where the responders meet."""
        bridge = ConferenceBridge(number, url)
        bridged = replace(self.incident(incident_id), conference_bridge=bridge)
        data = payloads.conference_bridge_data(self.site, bridged, bridge)
        return self._emit(EventType.CONFERENCE_BRIDGE_UPDATED, bridged, by, data)

    def set_custom_fields(
        self, incident_id: str, values: Mapping[str, FieldValue], *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set custom fields by name; unknown names become new fields."""
        incident = self.incident(incident_id)
        new_ids = {name: identifiers.object_id(self.rng) for name in values}
        fields, changed = with_field_values(incident.custom_fields, values, new_ids)
        filled = replace(incident, custom_fields=fields)
        data = payloads.incident_field_values_data(self.site, filled, changed)
        return self._emit(EventType.CUSTOM_FIELD_VALUES_UPDATED, filled, by, data)

    def assign_role(
        self, incident_id: str, role_name: str, user_id: str | None, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Give a role to a user, or take it away with None: both are `incident.role.assigned`."""
        incident = self.incident(incident_id)
        roles = {role.role_name: role for role in incident.roles}
        before = roles.get(role_name)
        assignment = RoleAssignment(
            id=before.id if before else identifiers.random_uuid(self.rng),
            role_id=before.role_id if before else identifiers.object_id(self.rng),
            role_name=role_name,
            assignee=self._user_or_none(user_id),
            old_assignee=before.assignee if before else None,
        )
        with_role = replace(incident, roles=tuple((roles | {role_name: assignment}).values()))
        data = payloads.role_assignment_data(self.site, with_role, (assignment,))
        return self._emit(EventType.ROLE_ASSIGNED, with_role, by, data)

    def create_task(
        self,
        incident_id: str,
        name: str,
        description: str = "",
        *,
        assignee_ids: tuple[str, ...] = (),
        by: str | None = None,
    ) -> tuple[Event, ...]:
        """Add a task; its id is in the incident's `tasks`."""
        incident = self.incident(incident_id)
        assignees = tuple(self.users[assignee_id] for assignee_id in assignee_ids)
        task = Task(identifiers.object_id(self.rng), name, description, assignees=assignees)
        tasked = replace(incident, tasks=(*incident.tasks, task))
        data = payloads.task_data(self.site, tasked, task)
        return self._emit(EventType.TASK_CREATED, tasked, by, data)

    def move_task(
        self, incident_id: str, task_id: str, status: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set a task to todo or in_progress (updated) or done (completed)."""
        incident = self.incident(incident_id)
        tasks = {task.id: task for task in incident.tasks}
        task = replace(tasks[task_id], status=status)
        moved = replace(incident, tasks=tuple((tasks | {task_id: task}).values()))
        data = payloads.task_data(self.site, moved, task)
        return self._emit(_TASK_EVENTS[status], moved, by, data)

    def invoke_action(
        self, incident_id: str, action_name: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Start an automation action; its id is in the incident's `action_invocations`."""
        incident = self.incident(incident_id)
        now = self.now()
        invocation = ActionInvocation(
            id=identifiers.event_id(now, self.rng),
            action_id=identifiers.event_id(now, self.rng),
            action_name=action_name,
        )
        invocations = (*incident.action_invocations, invocation)
        invoked = replace(incident, action_invocations=invocations)
        data = payloads.action_invocation_data(self.site, invoked, invocation)
        return self._emit(EventType.ACTION_INVOCATION_CREATED, invoked, by, data)

    def move_action(
        self, incident_id: str, invocation_id: str, state: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set an invocation to running (updated), completed or error (both terminated)."""
        incident = self.incident(incident_id)
        invocations = {invocation.id: invocation for invocation in incident.action_invocations}
        invocation = replace(invocations[invocation_id], state=state)
        after = tuple((invocations | {invocation_id: invocation}).values())
        moved = replace(incident, action_invocations=after)
        data = payloads.action_invocation_data(self.site, moved, invocation)
        return self._emit(_INVOCATION_EVENTS[state], moved, by, data)

    def start_workflow(
        self, incident_id: str, workflow_name: str, trigger_name: str = "Priority is P1"
    ) -> tuple[Event, ...]:
        """Start an incident workflow, by automation."""
        incident = self.incident(incident_id)
        instance = WorkflowInstance(
            id=identifiers.object_id(self.rng),
            workflow_id=identifiers.object_id(self.rng),
            workflow_name=workflow_name,
            trigger_id=identifiers.random_uuid(self.rng),
            trigger_name=trigger_name,
        )
        running = replace(incident, running_workflows=(*incident.running_workflows, instance))
        data = payloads.workflow_instance_data(self.site, running, instance)
        return self._emit(EventType.WORKFLOW_STARTED, running, None, data)

    def complete_workflow(self, incident_id: str) -> tuple[Event, ...]:
        """Complete the workflow that has been running longest."""
        incident = self.incident(incident_id)
        if not incident.running_workflows:
            raise OperationRefused(2001, "No incident workflow is running")
        instance, *still_running = incident.running_workflows
        completed = replace(incident, running_workflows=tuple(still_running))
        data = payloads.workflow_instance_data(self.site, completed, instance)
        return self._emit(EventType.WORKFLOW_COMPLETED, completed, None, data)

    def _emit(
        self, event_type: EventType, incident: Incident, by: str | None, data: JsonObject
    ) -> tuple[Event, ...]:
        return self._save_and_emit(event_type, incident, by, self._next_moment(_AT_ONCE), data)
