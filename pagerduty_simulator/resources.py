"""The objects of a PagerDuty account, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Final


class IncidentStatus(StrEnum):
    """All statuses of an incident; a snoozed incident is acknowledged."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class ContactMethod:
    """One way to reach a person; `kind` is email, phone, sms, push_notification or whatsapp.

    PagerDuty sends nothing to a method that is not `enabled` (not verified) or that it has blacklisted.
    """

    id: str
    kind: str
    label: str
    address: str = field(repr=False)
    enabled: bool = True
    blacklisted: bool = False


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """After `delay_minutes` from the assignment, PagerDuty uses the contact method.

    `urgency` is that of the incidents for which the rule is used: high or low.
    """

    id: str
    urgency: str
    delay_minutes: int
    contact_method_id: str


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
    notification_rules: tuple[NotificationRule, ...] = field(default=(), repr=False)

    def contact_method(self, method_id: str) -> ContactMethod | None:
        """Return the contact method with this id; None if it was removed."""
        return next((method for method in self.contact_methods if method.id == method_id), None)

    def rules(self, urgency: str) -> list[NotificationRule]:
        """Return the notification rules for an urgency, the earliest first."""
        found = (rule for rule in self.notification_rules if rule.urgency == urgency)
        return sorted(found, key=lambda rule: rule.delay_minutes)


@dataclass(frozen=True, slots=True)
class Team:
    """A team of users."""

    id: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleTarget:
    """A schedule on a policy's level: the users on call are paged.

    `kind` is schedule (layers) or schedule_v3 (shifts).
    """

    id: str
    name: str
    kind: str = "schedule"


EscalationTarget = User | ScheduleTarget


ASSIGN_TO_EVERYONE: Final = "assign_to_everyone"
ROUND_ROBIN: Final = "round_robin"
DEFAULT_DELAY_MINUTES: Final = 30


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """The targets to page, level after level; `levels[0]` is paged first.

    `num_loops` is how often the levels are repeated after the first pass. `strategies` has each level's
    assignment strategy; a level without one assigns to everyone.
    """

    id: str
    name: str
    levels: tuple[tuple[EscalationTarget, ...], ...]
    teams: tuple[Team, ...] = ()
    description: str = ""
    num_loops: int = 0
    on_call_handoff_notifications: str = "if_has_services"
    rule_ids: tuple[str, ...] = ()
    delays_minutes: tuple[int, ...] = ()
    strategies: tuple[str, ...] = ()

    def rule_id(self, level: int) -> str:
        """Return the id of a level's escalation rule; levels count from 0."""
        return self.rule_ids[level] if level < len(self.rule_ids) else f"{self.id}{level}"

    def delay_minutes(self, level: int) -> int:
        """Return how long a level has before an unacknowledged incident escalates away from it."""
        return self.delays_minutes[level] if level < len(self.delays_minutes) else DEFAULT_DELAY_MINUTES

    def strategy(self, level: int) -> str:
        """Return a level's assignment strategy."""
        return self.strategies[level] if level < len(self.strategies) else ASSIGN_TO_EVERYONE


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
class SupportHours:
    """Fixed time per day, in local time of `time_zone`; day 1 is Monday.

    `time_zone` is a name of Rails (PagerDuty's `activesupport-time-zone`) or of IANA.
    """

    time_zone: str
    days_of_week: tuple[int, ...]
    start_time: time
    end_time: time


@dataclass(frozen=True, slots=True)
class UrgencyRule:
    """What urgency a service's incidents get: high, low or severity_based.

    Without `outside` the urgency is constant; with it, `during` holds during support hours only.
    """

    during: str = "high"
    outside: str | None = None


@dataclass(frozen=True, slots=True)
class AutoPause:
    """Auto-pause of incident notifications; a `timeout` of 0 is PagerDuty's recommendation."""

    enabled: bool
    timeout: int


@dataclass(frozen=True, slots=True)
class Service:
    """A technical service on which incidents open.

    Timeouts are in seconds; None is never. With `raises_urgency`, unacknowledged incidents become
    high-urgency when support hours begin (its scheduled action).
    """

    id: str
    name: str
    escalation_policy: EscalationPolicy
    teams: tuple[Team, ...] = ()
    alert_creation: str = "create_alerts_and_incidents"
    description: str = ""
    created_at: datetime | None = None
    custom_fields: tuple[CustomField, ...] = ()
    acknowledgement_timeout: int | None = 1_800
    auto_resolve_timeout: int | None = 14_400
    urgency_rule: UrgencyRule = UrgencyRule()
    support_hours: SupportHours | None = None
    raises_urgency: bool = False
    auto_pause: AutoPause | None = None
    is_disabled: bool = False


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
