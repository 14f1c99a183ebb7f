"""Snapshots of small accounts, built in a line or two. Times are epoch seconds (UTC)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    ContactMethod,
    Entry,
    EscalationRule,
    NotificationRule,
    Policy,
    Schedule,
    ScheduleKind,
    Section,
    SectionName,
    SectionState,
    Service,
    Target,
    TargetKind,
    Urgency,
    UrgencyKind,
    UrgencyRule,
    User,
)

#: Mon 5 October 2026, 00:00 UTC.
MONDAY = 1_791_158_400
MINUTE, HOUR, DAY = 60, 3600, 86_400


def account(**parts: Any) -> AccountSnapshot:
    """Return a complete snapshot of an account, rendered for five weeks before and 13 after `MONDAY`."""
    complete = AccountSnapshot(
        id="snap-1",
        connection_id="connection-1",
        taken_at=MONDAY,
        rendered_since=MONDAY - 35 * DAY,
        rendered_until=MONDAY + 92 * DAY,
        time_zone="Etc/UTC",
        sections=tuple(Section(name, SectionState.COMPLETE, MONDAY, 0) for name in SectionName),
    )
    return replace(complete, **parts)


def user(user_id: str, *rules: tuple[int, ContactKind], low: Iterable[tuple[int, ContactKind]] = ()) -> User:
    """Return a person with a contact method per rule: (delay in minutes, kind), for each urgency."""
    methods, notification_rules = [], []
    for urgency, delays in ((Urgency.HIGH, rules), (Urgency.LOW, tuple(low))):
        for number, (delay, kind) in enumerate(delays):
            method_id = f"{user_id}-{urgency}-{number}"
            methods.append(ContactMethod(method_id, kind, is_enabled=True, is_blacklisted=False))
            notification_rules.append(NotificationRule(f"rule-{method_id}", urgency, delay, method_id))
    return User(
        user_id,
        f"Name of {user_id}",
        None,
        "Etc/UTC",
        contact_methods=tuple(methods),
        notification_rules=tuple(notification_rules),
    )


def schedule(schedule_id: str, *entries: tuple[int, int, str]) -> Schedule:
    return Schedule(
        schedule_id,
        f"Name of {schedule_id}",
        None,
        ScheduleKind.LAYERS,
        "Etc/UTC",
        entries=tuple(Entry(*entry) for entry in entries),
    )


def level(rule_id: str, delay_minutes: int, *targets: str, is_round_robin: bool = False) -> EscalationRule:
    """Return a level. A target that begins with `S` is a schedule, any other a person."""
    return EscalationRule(
        rule_id,
        delay_minutes,
        tuple(
            Target(TargetKind.SCHEDULE if target.startswith("S") else TargetKind.USER, target)
            for target in targets
        ),
        is_round_robin,
    )


def policy(*levels: EscalationRule, num_loops: int = 0, policy_id: str = "P1") -> Policy:
    return Policy(policy_id, f"Name of {policy_id}", None, levels, num_loops)


def service(service_id: str = "V1", policy_id: str | None = "P1", **parts: Any) -> Service:
    plain = Service(
        service_id,
        f"Name of {service_id}",
        None,
        "active",
        policy_id,
        urgency=UrgencyRule(UrgencyKind.CONSTANT, Urgency.HIGH),
    )
    return replace(plain, **parts)
