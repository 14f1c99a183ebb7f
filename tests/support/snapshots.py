"""A small account's snapshot, whose parts a test replaces, and a connection to store it for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.snapshots import store
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    ContactMethod,
    Entry,
    EscalationRule,
    Incident,
    Layer,
    LogKind,
    LogRecord,
    MaintenanceWindow,
    NotificationRule,
    Policy,
    Schedule,
    ScheduleKind,
    Section,
    SectionName,
    SectionState,
    Service,
    StandardScore,
    Target,
    TargetKind,
    Team,
    Urgency,
    UrgencyKind,
    UrgencyRule,
    User,
)
from tests.support.builders import NOON, new_id
from tests.support.doors import ACME

TAKEN_AT = int(NOON.timestamp())
DAY = 86_400


def complete_sections(at: int = TAKEN_AT) -> tuple[Section, ...]:
    """All sections, read completely; the past covers a year."""
    past = (SectionName.INCIDENTS, SectionName.LOG_ENTRIES)
    return tuple(
        Section(name, SectionState.COMPLETE, at, 1, since=at - 365 * DAY if name in past else None)
        for name in SectionName
    )


def with_section(snapshot: AccountSnapshot, section: Section) -> AccountSnapshot:
    """The snapshot as if this section had been read so."""
    others = tuple(other for other in snapshot.sections if other.name is not section.name)
    return replace(snapshot, sections=(*others, section))


def empty_snapshot(**fields: Any) -> AccountSnapshot:
    """An account without any object, completely read."""
    given: dict[str, Any] = {
        "id": new_id("snap_"),
        "connection_id": "con_test",
        "taken_at": TAKEN_AT,
        "rendered_since": TAKEN_AT - 35 * DAY,
        "rendered_until": TAKEN_AT + 92 * DAY,
        "time_zone": "Europe/Berlin",
        "sections": complete_sections(fields.get("taken_at", TAKEN_AT)),
    }
    return AccountSnapshot(**(given | fields))


def small_snapshot(**fields: Any) -> AccountSnapshot:
    """Ada is on call at all times; her service had an incident that she acknowledged after two minutes."""
    began = TAKEN_AT - 40 * DAY
    given: dict[str, Any] = {
        "schedules": (ada_schedule(),),
        "policies": (
            Policy(
                "PPOL", "Shop", None, (EscalationRule("PRULE", 30, (Target(TargetKind.SCHEDULE, "PSCHED"),)),)
            ),
        ),
        "services": (Service("PSHOP", "Basket", None, "active", "PPOL", urgency=_always(Urgency.HIGH)),),
        "users": (ada(),),
        "teams": (Team("PTEAM", "Shop", manager_ids=("PADA",)),),
        "maintenance": (MaintenanceWindow("PMAIN", TAKEN_AT, TAKEN_AT + 3600, ("PSHOP",)),),
        "incidents": (
            Incident("PINC", 1, None, "PSHOP", "PPOL", Urgency.HIGH, began, began + 600, "resolved"),
        ),
        "log_records": (
            LogRecord("R1", "PINC", began, LogKind.TRIGGER),
            LogRecord("R2", "PINC", began, LogKind.ASSIGN, ("PADA",)),
            LogRecord("R3", "PINC", began + 1, LogKind.NOTIFY, ("PADA",), channel=ContactKind.SMS),
            LogRecord("R4", "PINC", began + 120, LogKind.ACKNOWLEDGE, agent_id="PADA"),
            LogRecord("R5", "PINC", began + 600, LogKind.RESOLVE, agent_id="PADA"),
        ),
        "standards": (StandardScore("S1", "Has a description", "PSHOP", True),),
    }
    return empty_snapshot(**(given | fields))


def ada() -> User:
    return User(
        "PADA",
        "Ada",
        None,
        "Europe/Berlin",
        role="user",
        team_ids=("PTEAM",),
        contact_methods=(ContactMethod("CSMS", ContactKind.SMS, "Mobile", True, False),),
        notification_rules=(NotificationRule("N1", Urgency.HIGH, 0, "CSMS"),),
    )


def ada_schedule() -> Schedule:
    since, until = TAKEN_AT - 35 * DAY, TAKEN_AT + 92 * DAY
    return Schedule(
        "PSCHED",
        "Shop",
        None,
        ScheduleKind.LAYERS,
        "Europe/Berlin",
        layers=(Layer("L1", "Daily", since, None, since, DAY, ("PADA",)),),
        entries=(Entry(since, until, "PADA"),),
        rendered_coverage_percentage=100.0,
        version="v1",
    )


def store_snapshot(database: Database, snapshot: AccountSnapshot, scope: str = ACME) -> AccountSnapshot:
    """Store it for a new connection of the scope; return it with that connection's id."""
    connection_id = new_connection(database, scope)
    return store_snapshot_of(database, replace(snapshot, connection_id=connection_id))


def store_snapshot_of(database: Database, snapshot: AccountSnapshot) -> AccountSnapshot:
    """Store it for the connection that it names; return it as it is read, with no calendar of absences."""
    database.write_blocking(lambda tx: store.insert_whole_snapshot(tx, snapshot))
    return replace(snapshot, absences=snapshot.absences or ())


def new_connection(database: Database, scope: str = ACME) -> str:
    return database.write_blocking(
        lambda tx: connections.insert_connection(tx, "test", Scope.parse(scope), NOON)
    )


def days_later(snapshot: AccountSnapshot, days: float) -> AccountSnapshot:
    """The same account, unchanged, read so many days later."""
    at = snapshot.taken_at + int(timedelta(days=days).total_seconds())
    return replace(snapshot, id=new_id("snap_"), taken_at=at)


def taken(snapshot: AccountSnapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.taken_at, UTC)


def _always(urgency: Urgency) -> UrgencyRule:
    return UrgencyRule(UrgencyKind.CONSTANT, urgency)
