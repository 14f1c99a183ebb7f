"""Small accounts for the tests of coverage: schedules from entries, policies from levels."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Entry,
    EscalationRule,
    Incident,
    Policy,
    Schedule,
    ScheduleKind,
    Service,
    Target,
    TargetKind,
    Urgency,
    User,
)
from tests.support.snapshots import empty_snapshot

HOUR = 3_600
DAY = 24 * HOUR
#: Monday, 4 January 2027, 00:00 UTC.
NOW = int(datetime(2027, 1, 4, tzinfo=ZoneInfo("UTC")).timestamp())


def at(text: str, zone: str = "UTC") -> int:
    """The moment of a local time such as `2026-03-29 02:30`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def schedule_of(id: str, *entries: tuple[int, int, str], **fields: Any) -> Schedule:
    """A schedule of layers with these rendered entries (start, end, user)."""
    given: dict[str, Any] = {
        "id": id,
        "name": f"Schedule {id}",
        "html_url": None,
        "kind": ScheduleKind.LAYERS,
        "time_zone": "Europe/London",
        "entries": tuple(Entry(start, end, user_id) for start, end, user_id in entries),
    }
    return Schedule(**(given | fields))


def policy_of(id: str, *levels: Sequence[str], **fields: Any) -> Policy:
    """A policy; a level is a list of ids of schedules, or of users if they begin with `U`."""
    rules = tuple(
        EscalationRule(
            f"{id}-R{number}",
            30,
            tuple(Target(TargetKind.USER if i.startswith("U") else TargetKind.SCHEDULE, i) for i in level),
        )
        for number, level in enumerate(levels, 1)
    )
    return Policy(id, f"Policy {id}", f"https://acme.pagerduty.com/{id}", rules, **fields)


def service_of(id: str, policy_id: str | None, **fields: Any) -> Service:
    return Service(id, f"Service {id}", None, fields.pop("status", "active"), policy_id, **fields)


def user_of(id: str, **fields: Any) -> User:
    return User(id, f"Person {id}", None, fields.pop("time_zone", "Europe/London"), **fields)


def account(**fields: Any) -> AccountSnapshot:
    """A snapshot taken at NOW, rendered from 35 days before to 92 after; users exist if they are named."""
    schedules: Sequence[Schedule] = fields.get("schedules", ())
    policies: Sequence[Policy] = fields.get("policies", ())
    named = {entry.user_id for schedule in schedules for entry in schedule.entries or ()}
    named |= {u for schedule in schedules for layer in schedule.layers for u in layer.user_ids}
    named |= {
        target.id
        for policy in policies
        for rule in policy.rules
        for target in rule.targets
        if target.kind is TargetKind.USER
    }
    given: dict[str, Any] = {
        "id": "snap_test",
        "taken_at": NOW,
        "rendered_since": NOW - 35 * DAY,
        "rendered_until": NOW + 92 * DAY,
        "time_zone": "Europe/London",
        "users": tuple(user_of(user_id) for user_id in sorted(named)),
    }
    return empty_snapshot(**(given | fields))


def incident_at(number: int, at: int, service_id: str) -> Incident:
    return Incident(f"P{number}", number, None, service_id, None, Urgency.HIGH, at, at + 600, "resolved")
