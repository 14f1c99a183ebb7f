"""Operations that change an incident's status, assignees, policy, priority, service or type.

Each operation returns the events that PagerDuty would deliver. `by` is the id of the acting user; None is
automation (a timeout, an integration).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from pagerduty_simulator import identifiers, payloads
from pagerduty_simulator.account_state import AccountState, OperationRefused
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.pages import DroppedIncident
from pagerduty_simulator.resources import Incident, IncidentStatus, Note, Service
from pagerduty_simulator.support_hours import urgency_of

_AT_ONCE: Final = timedelta(0)
# Seen in real accounts: creating an incident as its own assignee acknowledges it this much later,
_SELF_ACKNOWLEDGED_AFTER: Final = timedelta(milliseconds=130)
# and the note given with a resolution follows it.
_RESOLUTION_NOTED_AFTER: Final = timedelta(milliseconds=300)


class LifecycleOperations(AccountState):
    """The operations whose event describes the whole incident."""

    def trigger(
        self,
        service_id: str,
        title: str,
        *,
        priority_id: str | None = None,
        urgency: str | None = None,
        severity: str | None = None,
        assignee_ids: tuple[str, ...] = (),
        incident_key: str | None = None,
        escalation_policy_id: str | None = None,
        incident_type: str = "incident_default",
        details: str | None = None,
        by: str | None = None,
    ) -> tuple[Event, ...]:
        """Open an incident, assigned to its policy's first level with somebody unless assignees are given.

        Without `urgency`, the service's urgency rule decides, perhaps by the alert's `severity`. A user who
        opens an incident for themselves also acknowledges it. Returns no event if PagerDuty creates no
        incident: `dropped` then says why. Raises OperationRefused if the service has an open incident with
        this key.
        """
        service = self.services[service_id]
        if incident_key is not None:
            self._refuse_open_key(service_id, incident_key)
        policy = service.escalation_policy
        if escalation_policy_id is not None:
            policy = self.escalation_policies[escalation_policy_id]
        level, assignees = 0, tuple(self.users[assignee_id] for assignee_id in assignee_ids)
        refusal = self._why_not(service)
        if refusal is None and not assignees:
            level, assignees = self.assign(policy, 0)
            refusal = None if assignees else "nobody_on_call"
        if refusal is not None:
            self.dropped.append(DroppedIncident(self._instant(), service.id, policy.id, title, refusal))
            return ()
        at = self._next_moment(_AT_ONCE)
        incident = Incident(
            id=identifiers.incident_id(self.rng),
            number=len(self.incidents) + 1,
            title=title,
            incident_key=incident_key or identifiers.incident_key(self.rng),
            created_at=at,
            service=service,
            escalation_policy=policy,
            incident_type=incident_type,
            details=details,
            urgency=urgency or urgency_of(service, at, severity),
            escalation_level=level,
            assignees=assignees,
            assigned_directly=bool(assignee_ids),
            teams=service.teams,
            priority=None if priority_id is None else self.priorities[priority_id],
        )
        events = self._save_and_emit(EventType.TRIGGERED, incident, by, at)
        if by is not None and by in assignee_ids:
            events += self._acknowledge(incident, by, _SELF_ACKNOWLEDGED_AFTER)
        return events

    def acknowledge(self, incident_id: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Acknowledge the incident. Raises OperationRefused (1001, 1002) as PagerDuty does."""
        incident = self._open_incident(incident_id)
        if incident.status is IncidentStatus.ACKNOWLEDGED:
            raise OperationRefused(1002, "Incident Already Acknowledged")
        return self._acknowledge(incident, by, _AT_ONCE)

    def unacknowledge(self, incident_id: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Trigger the incident again: an acknowledgement or a snooze ended, or somebody undid it."""
        incident = self._acknowledged_incident(incident_id)
        back = replace(incident, status=IncidentStatus.TRIGGERED, snoozed_until=None)
        return self._emit_change(EventType.UNACKNOWLEDGED, back, by)

    def resolve(
        self,
        incident_id: str,
        *,
        by: str | None = None,
        note: str | None = None,
        resolution: str | None = None,
    ) -> tuple[Event, ...]:
        """Resolve the incident and remove its assignees. A note follows as its own event.

        A `resolution` appears only in the log entry.
        """
        incident = self._open_incident(incident_id)
        events = self._resolve(replace(incident, resolution=resolution), by, merged_into=None)
        if note is None:
            return events
        at = self._next_moment(_RESOLUTION_NOTED_AFTER)
        left = Note(identifiers.object_id(self.rng), note, at, self._user_or_none(by))
        noted = self.incidents[incident_id]
        noted = replace(noted, notes=(*noted.notes, left))
        data = payloads.note_data(self.site, noted, left)
        return events + self._save_and_emit(EventType.ANNOTATED, noted, by, at, data)

    def merge(self, incident_id: str, into_incident_id: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Merge an incident into another; its event is a resolution with a reason."""
        incident = self._open_incident(incident_id)
        if incident_id == into_incident_id:
            raise OperationRefused(2001, "An incident cannot be merged into itself")
        return self._resolve(incident, by, merged_into=self._open_incident(into_incident_id))

    def reopen(
        self, incident_id: str, *, by: str | None = None, acknowledged: bool = False
    ) -> tuple[Event, ...]:
        """Open a resolved incident again, at its policy's first level.

        If its assignee reopens it, it may be acknowledged at once, so receivers must read the status.
        """
        incident = self.incident(incident_id)
        if incident.status is not IncidentStatus.RESOLVED:
            raise OperationRefused(2001, "Only a resolved incident can be reopened")
        at = self._next_moment(_AT_ONCE)
        status = IncidentStatus.ACKNOWLEDGED if acknowledged else IncidentStatus.TRIGGERED
        level, assignees = self.assign(incident.escalation_policy, 0)
        reopened = replace(
            incident,
            status=status,
            assignees=assignees,
            assigned_directly=False,
            escalation_level=level,
            reopened_at=at,
            resolved_at=None,
            merged_into=None,
        )
        return self._save_and_emit(EventType.REOPENED, reopened, by, at)

    def escalate(self, incident_id: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Page the policy's next level; an acknowledged incident is triggered again."""
        incident = self._open_incident(incident_id)
        level = incident.escalation_level + 1
        if level >= len(incident.escalation_policy.levels):
            raise OperationRefused(1006, "Incident cannot be escalated: it is at the last level")
        return self.escalate_to(incident_id, level, by=by)

    def escalate_to(self, incident_id: str, level: int, *, by: str | None = None) -> tuple[Event, ...]:
        """Page this level of the policy, counted from 0, or the next level with somebody on call."""
        incident = self._open_incident(incident_id)
        level, assignees = self.assign(incident.escalation_policy, level)
        if not assignees:
            raise OperationRefused(1015, "Nobody is on call on this level")
        escalated = replace(
            incident,
            status=IncidentStatus.TRIGGERED,
            snoozed_until=None,
            escalation_level=level,
            assignees=assignees,
            assigned_directly=False,
        )
        return self._emit_change(EventType.ESCALATED, escalated, by)

    def reassign(
        self, incident_id: str, assignee_ids: tuple[str, ...], *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Assign the incident to other users; it becomes triggered until they acknowledge it."""
        incident = self._open_incident(incident_id)
        if not assignee_ids or any(assignee_id not in self.users for assignee_id in assignee_ids):
            raise OperationRefused(1007, "Assignee unknown")
        assignees = tuple(self.users[assignee_id] for assignee_id in assignee_ids)
        reassigned = replace(
            incident,
            status=IncidentStatus.TRIGGERED,
            snoozed_until=None,
            assignees=assignees,
            assigned_directly=True,
        )
        return self._emit_change(EventType.REASSIGNED, reassigned, by)

    def delegate(
        self, incident_id: str, escalation_policy_id: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Move the incident to another escalation policy's first level, and add the policy's teams."""
        incident = self._open_incident(incident_id)
        policy = self.escalation_policies.get(escalation_policy_id)
        if policy is None:
            raise OperationRefused(1014, "Escalation policy not found")
        level, assignees = self.assign(policy, 0)
        if not assignees:
            raise OperationRefused(1015, "Nobody is on call on the escalation policy")
        delegated = replace(
            incident,
            status=IncidentStatus.TRIGGERED,
            snoozed_until=None,
            escalation_policy=policy,
            escalation_level=level,
            assignees=assignees,
            assigned_directly=False,
            teams=(*incident.teams, *(team for team in policy.teams if team not in incident.teams)),
        )
        return self._emit_change(EventType.DELEGATED, delegated, by)

    def set_priority(
        self, incident_id: str, priority_id: str | None, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set the priority, or remove it with None."""
        if priority_id is not None and priority_id not in self.priorities:
            raise OperationRefused(1020, "Priority not found")
        priority = None if priority_id is None else self.priorities[priority_id]
        changed = replace(self.incident(incident_id), priority=priority)
        return self._emit_change(EventType.PRIORITY_UPDATED, changed, by)

    def change_service(
        self, incident_id: str, service_id: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Move the incident to another service; its assignees stay."""
        incident, service = self._open_incident(incident_id), self.services[service_id]
        moved = replace(
            incident,
            service=service,
            teams=service.teams,
            escalation_policy=service.escalation_policy,
            escalation_level=0,
        )
        return self._emit_change(EventType.SERVICE_CHANGED, moved, by)

    def change_incident_type(
        self, incident_id: str, incident_type: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Change the incident's type, for example to a major incident."""
        changed = replace(self.incident(incident_id), incident_type=incident_type)
        return self._emit_change(EventType.INCIDENT_TYPE_CHANGED, changed, by)

    def _why_not(self, service: Service) -> str | None:
        """Return why the service opens no incident now; None if it does."""
        if service.is_disabled:
            return "disabled"
        now = self.now()
        windows = self.belongings.maintenance_windows.values()
        covered = any(
            window.start <= now < window.end and any(known.id == service.id for known in window.services)
            for window in windows
        )
        return "maintenance" if covered else None

    def _emit_change(self, event_type: EventType, incident: Incident, by: str | None) -> tuple[Event, ...]:
        return self._save_and_emit(event_type, incident, by, self._next_moment(_AT_ONCE))

    def _acknowledge(self, incident: Incident, by: str | None, later: timedelta) -> tuple[Event, ...]:
        taken = replace(incident, status=IncidentStatus.ACKNOWLEDGED)
        return self._save_and_emit(EventType.ACKNOWLEDGED, taken, by, self._next_moment(later))

    def _resolve(self, incident: Incident, by: str | None, merged_into: Incident | None) -> tuple[Event, ...]:
        at = self._next_moment(_AT_ONCE)
        resolved = replace(
            incident,
            status=IncidentStatus.RESOLVED,
            assignees=(),
            snoozed_until=None,
            resolved_at=at,
            merged_into=merged_into,
        )
        return self._save_and_emit(EventType.RESOLVED, resolved, by, at)

    def _open_incident(self, incident_id: str) -> Incident:
        incident = self.incident(incident_id)
        if incident.status is IncidentStatus.RESOLVED:
            raise OperationRefused(1001, "Incident Already Resolved")
        return incident

    def _acknowledged_incident(self, incident_id: str) -> Incident:
        incident = self._open_incident(incident_id)
        if incident.status is not IncidentStatus.ACKNOWLEDGED:
            raise OperationRefused(1012, "Incident is not acknowledged")
        return incident

    def _refuse_open_key(self, service_id: str, incident_key: str) -> None:
        if (service_id, incident_key) in self.open_by_key:
            raise OperationRefused(
                2002, "Open incident with matching dedup key already exists on this service"
            )
