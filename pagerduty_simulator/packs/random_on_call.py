"""Random accounts for on-call analyses: every kind of schedule, rule and policy, in many combinations.

`random_on_call` makes an account, `random_cases` draws services and moments for it, and `pages_of_case` lets
the account itself say who is paged then. The same seed and time give the same account and the same cases.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import MaintenanceWindow, Schedule
from pagerduty_simulator.contacts import contact_method, notification_rules, phone_number
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Override, Restriction
from pagerduty_simulator.pages import Page
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import (
    ASSIGN_TO_EVERYONE,
    ROUND_ROBIN,
    EscalationTarget,
    ScheduleTarget,
    SupportHours,
    UrgencyRule,
    User,
)
from pagerduty_simulator.shift_schedules import (
    CustomShift,
    Member,
    Rotation,
    RotationEvent,
    ShiftOverride,
    ShiftSchedule,
)

_ZONES: Final = (
    "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Etc/UTC",
    "America/Sao_Paulo", "Asia/Kathmandu",
)  # fmt: skip
#: What v2 schedules and support hours may be called in.
_RAILS_ZONES: Final = ("Eastern Time (US & Canada)", "Berlin", "New Delhi", "Europe/London", "Etc/UTC")
_KINDS: Final = ("email", "phone", "sms", "push_notification", "whatsapp")
_DELAYS: Final = (1, 2, 5, 10, 15, 30)
_RULE_DELAYS: Final = (0, 0, 1, 3, 5, 7, 10, 15, 20, 30)
_TURNS: Final = (
    timedelta(hours=8),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(weeks=1),
)
_RULES: Final = (
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SA", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=8",
)  # fmt: skip
_DAY: Final = timedelta(days=1)
_URGENCY_RULES: Final = (
    UrgencyRule(), UrgencyRule(), UrgencyRule("low"), UrgencyRule("severity_based"),
    UrgencyRule("high", "low"), UrgencyRule("low", "high"), UrgencyRule("severity_based", "low"),
    UrgencyRule("high", "severity_based"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """An incident that may happen: on a service, at a moment (UTC), because of an alert of this severity."""

    service_id: str
    at: datetime
    severity: str | None


def random_on_call(*, now: datetime, seed: object, site: Site | None = None) -> Account:
    """Return a random account without incidents, whose clock stands at `now`."""
    rng = random.Random(f"random on-call/{seed}")
    account = Account(now=lambda: now, rng=random.Random(f"random account/{seed}"), site=site)
    people = [_person(account, rng, number) for number in range(rng.randrange(4, 10))]
    team = account.add_team("Everybody")
    for user in people:
        account.add_member(team.id, user.id, rng.choice(("manager", "responder", "observer")))
    schedules = [_schedule(rng, people, number, now) for number in range(rng.randrange(2, 6))]
    for schedule in schedules:
        account.belongings.schedules[schedule.id] = schedule
    for number in range(rng.randrange(2, 4)):
        _policy(account, rng, people, schedules, number)
    for number in range(rng.randrange(3, 6)):
        _service(account, rng, number)
    if rng.random() < 0.3:
        covered = rng.choice(list(account.services.values()))
        start = now + rng.uniform(-1, 5) * _DAY
        window = MaintenanceWindow(
            identifiers.object_id(rng),
            1,
            start,
            start + rng.uniform(0.1, 1) * _DAY,
            "Move",
            (covered,),
            people[0],
        )
        account.belongings.maintenance_windows[window.id] = window
    return account


def random_cases(account: Account, *, seed: object, count: int, within: timedelta = 14 * _DAY) -> list[Case]:
    """Draw cases of the account's services within a time from its present on, in whole seconds."""
    rng, begin = random.Random(f"random cases/{seed}"), account.now().replace(microsecond=0)
    services = list(account.services)
    return [
        Case(
            rng.choice(services),
            begin + timedelta(seconds=rng.randrange(round(within.total_seconds()))),
            rng.choice((None, "critical", "warning")),
        )
        for _ in range(count)
    ]


def pages_of_case(account: Account, case: Case, *, lasting: timedelta = timedelta(hours=8)) -> list[Page]:
    """Open the case's incident, wait while nobody answers, and return all pages; none if it was dropped.

    The account's clock must stand before the case; afterwards it stands `lasting` after it.
    """
    account.advance_to(case.at)
    number = len(account.incident_order)
    account.trigger(case.service_id, "Case", severity=case.severity)
    account.advance_to(case.at + lasting)
    if len(account.incident_order) == number:
        return []
    return account.pages_of(account.incident_order[-1])


def _person(account: Account, rng: random.Random, number: int) -> User:
    user = account.add_user(f"Person {number + 1}", f"person-{number + 1}@random.example", rng.choice(_ZONES))
    kinds = rng.sample(_KINDS, rng.randrange(1, 5))
    methods = tuple(
        contact_method(
            kind,
            user.email if kind == "email" else phone_number(rng),
            rng,
            enabled=kind == "push_notification" or rng.random() < 0.9,
            blacklisted=kind != "email" and rng.random() < 0.1,
        )
        for kind in kinds
    )
    plan = tuple(
        (urgency, rng.choice(_RULE_DELAYS), rng.choice(kinds))
        for urgency, most in (("high", 5), ("low", 3))
        for _ in range(rng.randrange(most))
    )
    rules = notification_rules(methods, plan, rng)
    account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
    return account.users[user.id]


def _schedule(rng: random.Random, people: Sequence[User], number: int, now: datetime) -> Schedule:
    ids = [user.id for user in people]
    if rng.random() < 0.5:
        return _layered(rng, ids, number, now)
    return _shifted(rng, ids, number, now)


def _hour(rng: random.Random, around: datetime, days: float) -> datetime:
    """Draw a full hour within `days` of a moment."""
    return (around + rng.uniform(-days, days) * _DAY).replace(minute=0, second=0, microsecond=0)


def _layered(rng: random.Random, ids: list[str], number: int, now: datetime) -> LayerSchedule:
    layers = tuple(_layer(rng, ids, place, now) for place in range(rng.randrange(1, 4)))
    schedule = LayerSchedule(
        identifiers.object_id(rng), f"Layers {number + 1}", rng.choice(_RAILS_ZONES), layers
    )
    for _ in range(rng.randrange(4)):
        start = _hour(rng, now + 5 * _DAY, 10)
        override = Override(
            identifiers.object_id(rng), start, start + timedelta(hours=rng.randrange(1, 40)), rng.choice(ids)
        )
        schedule.overrides[override.id] = override
    return schedule


def _layer(rng: random.Random, ids: list[str], place: int, now: datetime) -> Layer:
    start = _hour(rng, now - 40 * _DAY, 20)
    ends = rng.random() < 0.2
    restrictions: tuple[Restriction, ...] = ()
    if rng.random() < 0.5:
        weekly = rng.random() < 0.5
        length = timedelta(hours=rng.randrange(4, 60 if weekly else 24))
        days = rng.sample(range(1, 8), rng.randrange(1, 4)) if weekly else [None]
        begin = time(rng.randrange(24), rng.choice((0, 30)))
        restrictions = tuple(
            Restriction(begin, length, day) for day in sorted(days, key=lambda day: day or 0)
        )
        if weekly and length > _DAY:
            # PagerDuty lets restrictions of a layer not overlap.
            restrictions = restrictions[:1]
    return Layer(
        identifiers.object_id(rng),
        f"Layer {place + 1}",
        start,
        tuple(rng.choices(ids, k=rng.randrange(1, 6))),
        rng.choice(_TURNS),
        start,
        _hour(rng, now + 8 * _DAY, 6) if ends else None,
        restrictions,
    )


def _shifted(rng: random.Random, ids: list[str], number: int, now: datetime) -> ShiftSchedule:
    rotations: dict[str, Rotation] = {}
    for _ in range(rng.randrange(1, 4)):
        events = [_event(rng, ids, now) for _ in range(rng.randrange(1, 3))]
        rotation = Rotation(identifiers.event_id(now, rng), {event.id: event for event in events})
        rotations[rotation.id] = rotation
    zone = rng.choice(_ZONES)
    schedule = ShiftSchedule(identifiers.object_id(rng), f"Shifts {number + 1}", zone, rotations)
    for _ in range(rng.randrange(3)):
        start = _hour(rng, now + 5 * _DAY, 8)
        shift = CustomShift(
            identifiers.event_id(now, rng),
            start,
            start + timedelta(hours=rng.randrange(2, 20)),
            rng.choice(ids),
            identifiers.event_id(now, rng),
        )
        schedule.custom_shifts[shift.id] = shift
    for rotation in rotations.values():
        if rng.random() < 0.5:
            override = _override(rng, rotation, ids, now)
            schedule.overrides[override.id] = override
    return schedule


def _override(rng: random.Random, rotation: Rotation, ids: list[str], now: datetime) -> ShiftOverride:
    members = [member for event in rotation.events.values() for member in event.members]
    start = _hour(rng, now + 5 * _DAY, 6)
    return ShiftOverride(
        identifiers.event_id(now, rng),
        start,
        start + timedelta(hours=rng.randrange(4, 60)),
        rng.choice(members),
        rng.choice([*ids, None]),
        rotation.id,
    )


def _event(rng: random.Random, ids: list[str], now: datetime) -> RotationEvent:
    zone = ZoneInfo(rng.choice(_ZONES))
    first = _hour(rng, now - 40 * _DAY, 20).astimezone(zone).replace(minute=0)
    rule = rng.choice(_RULES)
    longest = 8 if "HOURLY" in rule else 30
    length = timedelta(hours=rng.randrange(4, longest + 1))
    members: list[Member] = [rng.choice([*ids, *ids, None]) for _ in range(rng.randrange(1, 5))]
    rotating = rng.random() < 0.7
    return RotationEvent(
        identifiers.event_id(now, rng),
        f"Event {rng.randrange(100)}",
        first.astimezone(UTC),
        (first.astimezone(UTC) + length),
        zone.key,
        first.astimezone(UTC) - _DAY,
        (f"RRULE:{rule}",),
        tuple(members),
        "rotating_member_assignment_strategy" if rotating else "every_member_assignment_strategy",
        rng.choice((1, 1, 2, 5)) if rotating else 1,
        _hour(rng, now + 8 * _DAY, 6) if rng.random() < 0.2 else None,
    )


def _policy(
    account: Account, rng: random.Random, people: Sequence[User], schedules: Sequence[Schedule], number: int
) -> None:
    def target() -> EscalationTarget:
        if rng.random() < 0.35:
            return account.users[rng.choice(people).id]
        schedule = rng.choice(schedules)
        return ScheduleTarget(schedule.id, schedule.name, schedule.kind)

    levels = tuple(
        _distinct(target() for _ in range(rng.randrange(1, 4))) for _ in range(rng.randrange(1, 5))
    )
    policy = account.add_escalation_policy(f"Policy {number + 1}", levels)
    account.save_policy(
        replace(
            policy,
            rule_ids=tuple(identifiers.object_id(rng) for _ in levels),
            delays_minutes=tuple(rng.choice(_DELAYS) for _ in levels),
            num_loops=rng.choice((0, 0, 1, 2, 3)),
            strategies=tuple(rng.choice((ASSIGN_TO_EVERYONE,) * 3 + (ROUND_ROBIN,)) for _ in levels),
        )
    )


def _distinct(targets: Iterator[EscalationTarget]) -> tuple[EscalationTarget, ...]:
    return tuple({target.id: target for target in targets}.values())


def _service(account: Account, rng: random.Random, number: int) -> None:
    policy = rng.choice(list(account.escalation_policies.values()))
    service = account.add_service(f"Service {number + 1}", policy)
    rule = rng.choice(_URGENCY_RULES)
    hours = SupportHours(
        rng.choice(_RAILS_ZONES),
        tuple(sorted(rng.sample(range(1, 8), rng.randrange(3, 8)))),
        time(rng.randrange(6, 11)),
        time(rng.randrange(14, 23), 30),
    )
    account.save_service(
        replace(
            service,
            urgency_rule=rule,
            support_hours=None if rule.outside is None else hours,
            raises_urgency=rule.outside is not None and rng.random() < 0.5,
            acknowledgement_timeout=rng.choice((None, 600, 1_800)),
            auto_resolve_timeout=rng.choice((None, None, 14_400)),
            is_disabled=rng.random() < 0.05,
        )
    )
