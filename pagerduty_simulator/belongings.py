"""The account's other objects, which only the REST API shows: alerts, dependencies, changes, and so on."""

from dataclasses import dataclass, field
from datetime import datetime

from pagerduty_simulator.layer_schedules import LayerSchedule
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Service, Team, User
from pagerduty_simulator.shift_schedules import ShiftSchedule


@dataclass(frozen=True, slots=True)
class Alert:
    """A monitoring tool's report; it belongs to one incident."""

    id: str
    incident_id: str
    alert_key: str
    summary: str
    severity: str
    created_at: datetime
    details: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class BusinessService:
    """A business service, which technical services support."""

    id: str
    name: str
    description: str = ""
    point_of_contact: str = ""
    team: Team | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge: `dependent` needs `supporting`; each is (kind of service, id)."""

    id: str
    supporting: tuple[str, str]
    dependent: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A change event, such as a deployment, from a tool."""

    id: str
    summary: str
    timestamp: datetime
    services: tuple[Service, ...]
    source: str
    details: JsonObject = field(repr=False)
    href: str


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """Services that open no incidents for a while."""

    id: str
    sequence_number: int
    start: datetime
    end: datetime
    description: str
    services: tuple[Service, ...]
    created_by: User | None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who changed what in a schedule; `fields` are name, new value and old value."""

    id: str
    at: datetime
    actor: User | None
    action: str
    schedule_id: str
    fields: tuple[tuple[str, str | None, str | None], ...]
    token_name: str


Schedule = LayerSchedule | ShiftSchedule


@dataclass(slots=True)
class AccountObjects:
    """All these objects by id, in the order of their creation."""

    schedules: dict[str, Schedule] = field(default_factory=dict)
    alerts: dict[str, list[Alert]] = field(default_factory=dict)
    business_services: dict[str, BusinessService] = field(default_factory=dict)
    dependencies: list[Dependency] = field(default_factory=list)
    change_events: dict[str, ChangeEvent] = field(default_factory=dict)
    maintenance_windows: dict[str, MaintenanceWindow] = field(default_factory=dict)
    audit_records: list[AuditRecord] = field(default_factory=list)
    _changes_of: dict[str | None, list[ChangeEvent]] = field(default_factory=dict, repr=False)
    _changes_sorted: int = -1

    def changes(self, service_id: str | None = None) -> list[ChangeEvent]:
        """Return the changes of one service or of all, newest first, from an index."""
        if self._changes_sorted != len(self.change_events):
            self._changes_of = {None: sorted(self.change_events.values(), key=_at, reverse=True)}
            for change in self._changes_of[None]:
                for service in change.services:
                    self._changes_of.setdefault(service.id, []).append(change)
            self._changes_sorted = len(self.change_events)
        return self._changes_of.get(service_id, [])


def _at(change: ChangeEvent) -> datetime:
    return change.timestamp
