"""The objects of a PagerDuty account, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class IncidentStatus(StrEnum):
    """All statuses of an incident; a snoozed incident is acknowledged."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class ContactMethod:
    """One way to reach a person; `kind` is email, phone, sms or push_notification."""

    id: str
    kind: str
    label: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A person who can be paged; `time_zone` is an IANA name, `role` a role of PagerDuty's."""

    id: str
    name: str
    email: str
    time_zone: str = "UTC"
    role: str = "user"
    job_title: str = ""
    contact_methods: tuple[ContactMethod, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Team:
    """A team of users."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ScheduleTarget:
    """A schedule on a policy's level: the users on call are paged.

    `kind` is schedule (layers) or schedule_v3 (shifts).
    """

    id: str
    name: str
    kind: str = "schedule"


EscalationTarget = User | ScheduleTarget


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """The targets to page, level after level; `levels[0]` is paged first."""

    id: str
    name: str
    levels: tuple[tuple[EscalationTarget, ...], ...]
    teams: tuple[Team, ...] = ()
    description: str = ""
    num_loops: int = 0
    on_call_handoff_notifications: str = "if_has_services"
    rule_ids: tuple[str, ...] = ()
    delays_minutes: tuple[int, ...] = ()


# Several values, a single value, or none yet.
FieldValue = tuple[str, ...] | str | None


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field of an incident or a service with its value."""

    id: str
    name: str
    value: FieldValue
    data_type: str = "string"


@dataclass(frozen=True, slots=True)
class Service:
    """A technical service on which incidents open."""

    id: str
    name: str
    escalation_policy: EscalationPolicy
    teams: tuple[Team, ...] = ()
    alert_creation: str = "create_alerts_and_incidents"
    description: str = ""
    created_at: datetime | None = None
    custom_fields: tuple[CustomField, ...] = ()


@dataclass(frozen=True, slots=True)
class Priority:
    """A priority of the account."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ConferenceBridge:
    """Where responders meet; `number` is a telephone number with its dialling pauses."""

    number: str
    url: str


@dataclass(frozen=True, slots=True)
class Note:
    """A note on an incident."""

    id: str
    content: str
    created_at: datetime
    author: User | None


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """A message published to the incident's stakeholders."""

    id: str
    message: str
    created_at: datetime
    author: User | None
    subject: str | None = None
    html_message: str | None = None


@dataclass(frozen=True, slots=True)
class Responder:
    """A requested responder; `state` is pending, joined, declined or user_cancelled."""

    user: User
    escalation_policy: EscalationPolicy
    message: str
    state: str = "pending"
    requester: User | None = None
    requested_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """The assignment of an incident role; `assignee` is None once it is removed."""

    id: str
    role_id: str
    role_name: str
    assignee: User | None
    old_assignee: User | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task of an incident; `status` is todo, in_progress or done."""

    id: str
    name: str
    description: str
    status: str = "todo"
    assignees: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionInvocation:
    """One run of an automation action; `state` is created, running, completed or error."""

    id: str
    action_id: str
    action_name: str
    state: str = "created"


@dataclass(frozen=True, slots=True)
class WorkflowInstance:
    """One run of an incident workflow (PagerDuty's own, not Temporal's)."""

    id: str
    workflow_id: str
    workflow_name: str
    trigger_id: str
    trigger_name: str


@dataclass(frozen=True, slots=True)
class Incident:
    """The current state of an incident."""

    id: str
    number: int
    title: str
    incident_key: str
    created_at: datetime
    service: Service
    escalation_policy: EscalationPolicy
    status: IncidentStatus = IncidentStatus.TRIGGERED
    incident_type: str = "incident_default"
    details: str | None = field(default=None, repr=False)
    urgency: str = "high"
    escalation_level: int = 0
    assignees: tuple[User, ...] = ()
    assigned_directly: bool = False
    teams: tuple[Team, ...] = ()
    priority: Priority | None = None
    reopened_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = field(default=None, repr=False)
    snoozed_until: datetime | None = None
    merged_into: "Incident | None" = None
    conference_bridge: ConferenceBridge | None = None
    notes: tuple[Note, ...] = field(default=(), repr=False)
    status_updates: tuple[StatusUpdate, ...] = field(default=(), repr=False)
    responders: tuple[Responder, ...] = ()
    roles: tuple[RoleAssignment, ...] = ()
    tasks: tuple[Task, ...] = ()
    custom_fields: tuple[CustomField, ...] = ()
    action_invocations: tuple[ActionInvocation, ...] = ()
    running_workflows: tuple[WorkflowInstance, ...] = ()
