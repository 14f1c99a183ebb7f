"""The account snapshot: immutable values, all times in epoch seconds (UTC).

A snapshot is complete in itself: every on-call analysis is a function of it and of `now`. What PagerDuty did
not tell is None or a section that isn't complete; it is never an empty list that looks like "nothing".

Source: PagerDuty's REST API (schedules v2 and v3, escalation policies, services, users, teams, maintenance
windows, incidents, log entries).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.absences.model import Absence
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.dependency_model import BusinessService, ServiceDependencies
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures


class SectionName(StrEnum):
    """What a snapshot is read in. Each section succeeds or fails by itself."""

    SCHEDULES = "schedules"
    POLICIES = "policies"
    SERVICES = "services"
    USERS = "users"
    TEAMS = "teams"
    MAINTENANCE = "maintenance"
    INCIDENTS = "incidents"
    LOG_ENTRIES = "log_entries"
    STANDARDS = "standards"
    BUSINESS_SERVICES = "business_services"
    DEPENDENCIES = "dependencies"


class SectionState(StrEnum):
    COMPLETE = "complete"
    #: Truncated: PagerDuty has more than it gives, or some objects failed.
    PARTIAL = "partial"
    FORBIDDEN = "forbidden"
    NOT_IN_PLAN = "not_in_plan"
    UNAVAILABLE = "unavailable"


class Completeness(NamedTuple):
    """Which sections are whole, cut short, or hidden from our token. Names in order of the alphabet."""

    complete: frozenset[SectionName]
    truncated: tuple[str, ...]
    missing_permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """How one section was read. `reason` says in words why it isn't complete."""

    name: SectionName
    state: SectionState
    fetched_at: int
    count: int
    reason: str = ""
    #: The past that is covered (incidents, log entries), else None.
    since: int | None = None


class ScheduleKind(StrEnum):
    """LAYERS: /schedules (v2), one person at a time. SHIFTS: /v3/schedules, several may overlap."""

    LAYERS = "layers"
    SHIFTS = "shifts"


@dataclass(frozen=True, slots=True)
class Entry:
    """A person on call from `start` to `end` (exclusive), as PagerDuty renders it.

    `source` is `final_schedule` (v2), or for v3 `schedule_rotation:ID`, `custom_shift:ID`,
    `schedule_rotation_override:ID` and so on.
    """

    start: int
    end: int
    user_id: str
    source: str = "final_schedule"


@dataclass(frozen=True, slots=True)
class IntendedHole:
    """A rendered shift of PagerDuty's `empty_member` (v3): nobody is meant to be on call by this source."""

    start: int
    end: int
    source: str


class RestrictionKind(StrEnum):
    DAILY = "daily_restriction"
    WEEKLY = "weekly_restriction"


@dataclass(frozen=True, slots=True)
class Restriction:
    """A layer is active only then. Local time of the schedule's zone; day 1 is Monday, for weekly ones."""

    kind: RestrictionKind
    start_time_of_day: int  # seconds since local midnight
    duration: int  # seconds
    start_day_of_week: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer (v2): users take turns. Layers stand in order of precedence, the one that wins first."""

    id: str
    name: str
    start: int
    end: int | None
    rotation_virtual_start: int
    turn_seconds: int
    user_ids: tuple[str, ...]
    restrictions: tuple[Restriction, ...] = ()


class AssignmentStrategy(StrEnum):
    ROTATING = "rotating"
    EVERY_MEMBER = "every_member"


@dataclass(frozen=True, slots=True)
class RotationEvent:
    """An event of a rotation (v3): its first shift, and the RRULE by which it repeats.

    A member of None is PagerDuty's `empty_member`: an intended hole.
    """

    id: str
    name: str
    #: The first shift, as wall-clock time of `time_zone` is derived from it.
    first_start: int
    first_end: int
    time_zone: str
    effective_since: int
    effective_until: int | None
    recurrence: tuple[str, ...]
    strategy: AssignmentStrategy
    shifts_per_member: int
    member_ids: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Rotation:
    id: str
    name: str
    events: tuple[RotationEvent, ...]
    #: People of a shadow rotation watch; they are not paged, and count neither as coverage nor as load.
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class CustomShift:
    id: str
    start: int
    end: int
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Override:
    """Replaces whoever is on call (v2), or `overridden_user_id` in one rotation or custom shift (v3)."""

    id: str
    start: int
    end: int
    user_id: str | None
    rotation_id: str | None = None
    custom_shift_id: str | None = None
    overridden_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    id: str
    name: str
    html_url: str | None
    kind: ScheduleKind
    #: As PagerDuty names it: IANA's or Rails'. `kernel.time_zones.time_zone` finds it.
    time_zone: str
    team_ids: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    custom_shifts: tuple[CustomShift, ...] = ()
    overrides: tuple[Override, ...] = ()
    #: Rendered by PagerDuty, for the whole of the snapshot's `rendered` window. None if it couldn't be read.
    entries: tuple[Entry, ...] | None = ()
    #: 0 to 100, as PagerDuty computed it for that window.
    rendered_coverage_percentage: float | None = None
    #: A hash of what PagerDuty said of layers, rotations and overrides: the version that drafts are bound to.
    version: str = ""
    #: Shifts of `empty_member`, for the same window as the entries. Others may be on call in them.
    intended_holes: tuple[IntendedHole, ...] = ()
    #: When it was last read from PagerDuty. None: with its section (a snapshot of an earlier version).
    read_at: int | None = None
    #: If it was not read again: from then on the entries are our own rendering, proved on those before.
    continued_from: int | None = None
    #: If it was not read again: until then PagerDuty's list of on-calls agreed with the entries.
    agreed_until: int | None = None


class TargetKind(StrEnum):
    USER = "user"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Target:
    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class EscalationRule:
    """One level of a policy. After `delay_minutes` without acknowledgement, the next level is paged."""

    id: str
    delay_minutes: int
    targets: tuple[Target, ...]
    #: Round robin: one target of the level is paged, in turn; else all of them.
    is_round_robin: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """An escalation policy. `num_loops` is how often the levels are repeated after the first pass."""

    id: str
    name: str
    html_url: str | None
    rules: tuple[EscalationRule, ...]
    num_loops: int = 0
    team_ids: tuple[str, ...] = ()


class Urgency(StrEnum):
    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class SupportHours:
    """Fixed time per day, in local time. Days: 1 is Monday. Seconds since local midnight."""

    time_zone: str
    days_of_week: tuple[int, ...]
    start_time: int
    end_time: int


class UrgencyKind(StrEnum):
    CONSTANT = "constant"
    USE_SUPPORT_HOURS = "use_support_hours"
    #: `severity_based`: the alert's severity decides.
    SEVERITY_BASED = "severity_based"


@dataclass(frozen=True, slots=True)
class UrgencyRule:
    """CONSTANT: `during` always. USE_SUPPORT_HOURS: `during` and `outside` support hours.

    None means that the alert's severity decides.
    """

    kind: UrgencyKind
    during: Urgency | None
    outside: Urgency | None = None


@dataclass(frozen=True, slots=True)
class Service:
    id: str
    name: str
    html_url: str | None
    #: PagerDuty's status: active, warning, critical, maintenance or disabled.
    status: str
    policy_id: str | None
    team_ids: tuple[str, ...] = ()
    support_hours: SupportHours | None = None
    urgency: UrgencyRule | None = None
    #: None: never.
    acknowledgement_timeout: int | None = None
    auto_resolve_timeout: int | None = None
    #: Suppression and auto-pause, as PagerDuty names them; None if unknown.
    auto_pause_seconds: int | None = None
    #: The scheduled action `urgency_change`: when support hours begin, open incidents become high urgency.
    raises_urgency_with_support_hours: bool = False


class ContactKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    SMS = "sms"
    PUSH = "push_notification"
    WHATSAPP = "whatsapp"


@dataclass(frozen=True, slots=True)
class ContactMethod:
    """A way to reach a person, without the address. None means that PagerDuty does not say."""

    id: str
    kind: ContactKind
    label: str = ""
    is_enabled: bool | None = None
    is_blacklisted: bool | None = None


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """After `delay_minutes` from the assignment, PagerDuty uses the contact method. Zero is at once."""

    id: str
    urgency: Urgency
    delay_minutes: int
    contact_method_id: str


@dataclass(frozen=True, slots=True)
class User:
    """A person. None for contact methods and rules: this token may not read them."""

    id: str
    name: str
    html_url: str | None
    #: IANA's name; None: the account's.
    time_zone: str | None
    role: str = ""
    team_ids: tuple[str, ...] = ()
    contact_methods: tuple[ContactMethod, ...] | None = None
    notification_rules: tuple[NotificationRule, ...] | None = None


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    name: str
    html_url: str | None = None
    #: Members with the team role `manager`; None if unknown.
    manager_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    id: str
    start: int
    end: int
    service_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """A past or open incident, without its texts."""

    id: str
    number: int
    html_url: str | None
    service_id: str
    policy_id: str | None
    urgency: Urgency
    created_at: int
    resolved_at: int | None
    status: str
    team_ids: tuple[str, ...] = ()
    is_auto_resolved: bool | None = None
    #: As PagerDuty's analytics gave them; None if they have not, or if the incident changed since.
    measures: IncidentMeasures | None = None
    #: A fingerprint that incidents of one kind share: of the service and its title without ids and numbers.
    #: None if the title is unknown.
    kind: str | None = None


class LogKind(StrEnum):
    """PagerDuty's types of log entries without `_log_entry`, as far as analyses use them."""

    TRIGGER = "trigger"
    ASSIGN = "assign"
    NOTIFY = "notify"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    ESCALATE = "escalate"
    DELEGATE = "delegate"
    RESOLVE = "resolve"
    ANNOTATE = "annotate"
    SNOOZE = "snooze"
    REPEAT_ESCALATION_PATH = "repeat_escalation_path"
    EXHAUST_ESCALATION_PATH = "exhaust_escalation_path"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log entry of an incident. `user_ids` are the people concerned: assigned, notified.

    `agent_id` is who did it; None for automation. `channel` is how a person was notified.
    `by_timeout` is True if an escalation happened because nobody answered in time.
    """

    id: str
    incident_id: str
    at: int
    kind: LogKind
    user_ids: tuple[str, ...] = ()
    agent_id: str | None = None
    channel: ContactKind | None = None
    policy_id: str | None = None
    by_timeout: bool | None = None


@dataclass(frozen=True, slots=True)
class StandardScore:
    """PagerDuty's own score of a resource against one of its service standards."""

    standard_id: str
    name: str
    resource_id: str
    passed: bool


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """An account at `taken_at`. Objects stand in the order of their ids, log records in order of time."""

    id: str
    connection_id: str
    taken_at: int
    #: The time for which schedules have entries.
    rendered_since: int
    rendered_until: int
    #: The account's zone if known; people without one live there.
    time_zone: str | None
    sections: tuple[Section, ...]
    schedules: tuple[Schedule, ...] = ()
    policies: tuple[Policy, ...] = ()
    services: tuple[Service, ...] = ()
    users: tuple[User, ...] = ()
    teams: tuple[Team, ...] = ()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    incidents: tuple[Incident, ...] = ()
    log_records: tuple[LogRecord, ...] = ()
    standards: tuple[StandardScore, ...] = field(default=())
    business_services: tuple[BusinessService, ...] = ()
    #: Of the services whose dependencies were read.
    dependencies: tuple[ServiceDependencies, ...] = ()
    #: Who is away, by the calendars that are stored when the snapshot is loaded: they aren't part of what is
    #: stored, so that a removed calendar leaves nothing behind. None: not loaded.
    absences: tuple[Absence, ...] | None = None

    def away(self) -> dict[str, list[Span]]:
        """Return when people are away, by user id."""
        spans: dict[str, list[Span]] = {}
        for absence in self.absences or ():
            spans.setdefault(absence.user_id, []).append(Span(absence.start, absence.end))
        return spans

    def completeness(self, names: Collection[SectionName]) -> Completeness:
        """Return how these sections were read. One that the snapshot doesn't have is in no part."""
        sections = [section for section in self.sections if section.name in names]

        def in_states(*states: SectionState) -> tuple[str, ...]:
            return tuple(sorted(section.name.value for section in sections if section.state in states))

        return Completeness(
            frozenset(section.name for section in sections if section.state is SectionState.COMPLETE),
            in_states(SectionState.PARTIAL, SectionState.UNAVAILABLE),
            in_states(SectionState.FORBIDDEN, SectionState.NOT_IN_PLAN),
        )

    def section(self, name: SectionName) -> Section:
        """Return how a section was read. Raises KeyError if the snapshot is of a version without it."""
        for section in self.sections:
            if section.name is name:
                return section
        raise KeyError(name)
