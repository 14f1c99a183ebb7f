"""A small account with a rota of layers and one of shifts, whose entries PagerDuty has rendered as we do."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.rendering import render
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    AssignmentStrategy,
    Layer,
    Policy,
    Restriction,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
    User,
)
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, level, policy, service

LONDON = "Europe/London"
WEEK = 7 * DAY
#: Mon 5 October 2026, 09:00 in London.
HANDOFF = MONDAY + 8 * HOUR
NAMES = {"UA": "Ann", "UB": "Ben", "UC": "Cat", "UD": "Dan"}


def at(text: str, zone: str = LONDON) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def weekly_layer(*user_ids: str, turn: int = WEEK, restrictions: tuple[Restriction, ...] = ()) -> Layer:
    start = HANDOFF - 8 * WEEK
    return Layer("L1", "Weekly", start, None, start, turn, user_ids, restrictions)


def layer_schedule(*layers: Layer, schedule_id: str = "S1", name: str = "Primary") -> Schedule:
    return Schedule(schedule_id, name, None, ScheduleKind.LAYERS, LONDON, layers=layers, version="v1")


def shift_schedule(*member_ids: str | None, schedule_id: str = "S3", shifts_per_member: int = 1) -> Schedule:
    start = HANDOFF - 8 * WEEK
    event = RotationEvent(
        "E1", "Days", start, start + DAY, LONDON, start, None, ("RRULE:FREQ=DAILY",),
        AssignmentStrategy.ROTATING, shifts_per_member, member_ids,
    )  # fmt: skip
    return Schedule(
        schedule_id,
        "Shifts",
        None,
        ScheduleKind.SHIFTS,
        LONDON,
        rotations=(Rotation("R1", "Days", (event,)),),
    )


def rota_account(*schedules: Schedule, policies: tuple[Policy, ...] | None = None) -> AccountSnapshot:
    """Return a rendered account of Ann, Ben, Cat and Dan; a policy pages the first schedule, then Dan."""
    people = tuple(User(user_id, name, None, LONDON) for user_id, name in NAMES.items())
    plain = account(
        users=people,
        schedules=schedules,
        policies=policies or (policy(level("E1", 15, schedules[0].id), level("E2", 30, "UD")),),
        services=(service(),),
        time_zone=LONDON,
    )
    window = Span(plain.rendered_since, plain.rendered_until)
    rendered = tuple(replace(schedule, entries=render(schedule, window)) for schedule in plain.schedules)
    return replace(plain, schedules=rendered)
