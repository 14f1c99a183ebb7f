"""Random schedules of the simulated PagerDuty, as it renders them and as a snapshot holds them."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots import model
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Override, Restriction
from pagerduty_simulator.shift_schedules import (
    CustomShift,
    Rotation,
    RotationEvent,
    ShiftOverride,
    ShiftSchedule,
)
from pagerduty_simulator.shifts import Shift, cut
from tests.support.chance import repeatable

#: Zones with different clock changes, or none: Lord Howe's is half an hour.
ZONES = (
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Etc/UTC",
    "America/Santiago",
)
#: Both clock changes of the northern and of the southern autumn lie within it.
SINCE = datetime(2026, 9, 20, tzinfo=UTC)
UNTIL = datetime(2026, 11, 25, tzinfo=UTC)
PEOPLE = ("PANN", "PBEN", "PCAT", "PDAN", "PEVE")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def window() -> Span:
    return Span(epoch(SINCE), epoch(UNTIL))


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def random_layer_schedule(seed: int) -> LayerSchedule:
    rng = repeatable(seed)
    zone = ZoneInfo(rng.choice(ZONES))
    layers = tuple(_layer(rng, zone, f"L{number}") for number in range(rng.randint(1, 3)))
    schedule = LayerSchedule(f"S{seed}", f"Schedule {seed}", zone.key, layers)
    for number in range(rng.randint(0, 4)):
        start = SINCE + rng.randint(0, 60 * 24) * _HOUR
        end = start + rng.randint(1, 60) * _HOUR
        schedule.overrides[f"O{number}"] = Override(f"O{number}", start, end, rng.choice(PEOPLE))
    return schedule


def _layer(rng: random.Random, zone: ZoneInfo, layer_id: str) -> Layer:
    virtual = datetime(2026, 8, rng.randint(1, 28), rng.choice((0, 9, 17)), tzinfo=zone).astimezone(UTC)
    start = rng.choice((virtual, SINCE - 40 * _DAY, SINCE + 9 * _DAY))
    end = rng.choice((None, None, UNTIL - 8 * _DAY))
    users = tuple(rng.sample(PEOPLE, rng.randint(1, 4)))
    turn = rng.choice((8 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY))
    restrictions = tuple(_restriction(rng) for _ in range(rng.choice((0, 0, 1, 2))))
    return Layer(layer_id, layer_id, start, users, turn, virtual, end, restrictions)


def _restriction(rng: random.Random) -> Restriction:
    begins = time(rng.choice((0, 2, 9, 17, 22)))
    if rng.random() < 0.5:
        return Restriction(begins, rng.randint(1, 24) * _HOUR)
    return Restriction(begins, rng.randint(4, 100) * _HOUR, rng.randint(1, 7))


def random_shift_schedule(seed: int) -> ShiftSchedule:
    rng = repeatable(seed)
    schedule = ShiftSchedule(f"V{seed}", f"Shifts {seed}", "Etc/UTC")
    for number in range(rng.randint(1, 3)):
        rotation_id = f"R{number}"
        events = [_event(rng, f"E{number}-{index}") for index in range(rng.randint(1, 2))]
        schedule.rotations[rotation_id] = Rotation(rotation_id, {event.id: event for event in events})
    for number in range(rng.randint(0, 2)):
        start = SINCE + rng.randint(0, 60 * 24) * _HOUR
        member = rng.choice((*PEOPLE, None))
        shift = CustomShift(f"C{number}", start, start + 5 * _HOUR, member, f"A{number}")
        schedule.custom_shifts[shift.id] = shift
    for number in range(rng.randint(0, 3)):
        start = SINCE + rng.randint(0, 60 * 24) * _HOUR
        override = ShiftOverride(
            f"O{number}",
            start,
            start + rng.randint(1, 200) * _HOUR,
            rng.choice((*PEOPLE, None)),
            rng.choice((*PEOPLE, None)),
            rotation_id=rng.choice(tuple(schedule.rotations)),
        )
        schedule.overrides[override.id] = override
    return schedule


def _event(rng: random.Random, event_id: str) -> RotationEvent:
    zone = rng.choice(ZONES)
    first = datetime(2026, 9, rng.randint(1, 20), rng.choice((0, 9, 17)), tzinfo=ZoneInfo(zone))
    length = rng.choice((8, 12, 16, 24)) * _HOUR
    rule = rng.choice(
        (
            "FREQ=DAILY",
            "FREQ=DAILY;INTERVAL=2",
            "FREQ=WEEKLY;BYDAY=MO,WE,FR",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SA",
            "FREQ=WEEKLY",
            "FREQ=DAILY;COUNT=20",
        )
    )
    every = rng.random() < 0.3
    return RotationEvent(
        event_id,
        event_id,
        first.astimezone(UTC),
        first.astimezone(UTC) + length,
        zone,
        SINCE - rng.randint(0, 20) * _DAY if rng.random() < 0.5 else SINCE + 3 * _DAY,
        (f"RRULE:{rule}",),
        tuple(rng.choice((*PEOPLE, None)) for _ in range(rng.randint(1, 4))),
        "every_member_assignment_strategy" if every else "rotating_member_assignment_strategy",
        rng.randint(1, 3),
        rng.choice((None, UNTIL - 15 * _DAY)),
    )


def snapshot_of_layers(schedule: LayerSchedule) -> model.Schedule:
    """Return the schedule as a snapshot holds it: the layer that wins stands first."""
    return model.Schedule(
        schedule.id,
        schedule.name,
        None,
        model.ScheduleKind.LAYERS,
        schedule.time_zone,
        layers=tuple(_snapshot_layer(layer) for layer in reversed(schedule.layers)),
        overrides=tuple(
            model.Override(override.id, epoch(override.start), epoch(override.end), override.user_id)
            for override in schedule.overrides.values()
        ),
        entries=entries(schedule.final_shifts(SINCE, UNTIL), is_v3=False),
    )


def _snapshot_layer(layer: Layer) -> model.Layer:
    return model.Layer(
        layer.id,
        layer.name,
        epoch(layer.start),
        epoch(layer.end) if layer.end else None,
        epoch(layer.virtual_start),
        int(layer.turn_length.total_seconds()),
        layer.user_ids,
        tuple(
            model.Restriction(
                model.RestrictionKind.DAILY
                if restriction.start_day_of_week is None
                else model.RestrictionKind.WEEKLY,
                restriction.start_time_of_day.hour * 3600,
                int(restriction.duration.total_seconds()),
                restriction.start_day_of_week,
            )
            for restriction in layer.restrictions
        ),
    )


def snapshot_of_shifts(schedule: ShiftSchedule) -> model.Schedule:
    return model.Schedule(
        schedule.id,
        schedule.name,
        None,
        model.ScheduleKind.SHIFTS,
        schedule.time_zone,
        rotations=tuple(
            model.Rotation(
                rotation.id, rotation.id, tuple(_snapshot_event(event) for event in rotation.events.values())
            )
            for rotation in schedule.rotations.values()
        ),
        custom_shifts=tuple(
            model.CustomShift(shift.id, epoch(shift.start), epoch(shift.end), shift.member)
            for shift in schedule.custom_shifts.values()
        ),
        overrides=tuple(
            model.Override(
                override.id,
                epoch(override.start),
                epoch(override.end),
                override.overriding,
                override.rotation_id,
                override.custom_shift_id,
                override.overridden,
            )
            for override in schedule.overrides.values()
        ),
        entries=entries(schedule.final_shifts(SINCE, UNTIL), is_v3=True),
    )


def _snapshot_event(event: RotationEvent) -> model.RotationEvent:
    return model.RotationEvent(
        event.id,
        event.name,
        epoch(event.start),
        epoch(event.end),
        event.time_zone,
        epoch(event.effective_since),
        epoch(event.effective_until) if event.effective_until else None,
        event.recurrence,
        model.AssignmentStrategy.EVERY_MEMBER
        if event.strategy.startswith("every")
        else model.AssignmentStrategy.ROTATING,
        event.shifts_per_member,
        event.members,
    )


def entries(shifts: Iterable[Shift], *, is_v3: bool) -> tuple[model.Entry, ...]:
    return tuple(
        model.Entry(
            epoch(shift.start),
            epoch(shift.end),
            shift.user_id,
            ":".join(shift.source) if is_v3 else "final_schedule",
        )
        for shift in cut(shifts, SINCE, UNTIL)
        if shift.user_id is not None
    )
