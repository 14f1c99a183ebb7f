"""Edit a schedule's layers or rotations as PagerDuty would from a moment on; the past stays. Pure.

A changed layer ends, and a copy with other people follows it. The copy keeps the start from which turns are
counted, as PagerDuty does if a layer's users are changed.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.scheduling.account_names import find_event, find_layer
from calmo_pagerduty.scheduling.occurrences import occurrences, to_epoch, to_local
from calmo_pagerduty.scheduling.rendering import CountFrom, Interpretation, TurnClock, ZoneUnknown
from calmo_pagerduty.scheduling.scenarios import NewRotation, ScenarioInvalid, weekday_number
from calmo_pagerduty.scheduling.turn_orders import with_member, without_member
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    Layer,
    Override,
    Restriction,
    RestrictionKind,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
)

_DAY = 86_400
Order = tuple[str | None, ...]


def people_of(schedule: Schedule, at: int) -> frozenset[str]:
    """Return who is in a part of the schedule, an override or a custom shift that matters after `at`."""
    people = {part.user_id for part in schedule.overrides if part.user_id and part.end > at}
    people |= {part.user_id for part in schedule.custom_shifts if part.user_id and part.end > at}
    return members_of(schedule, at) | people


def members_of(schedule: Schedule, at: int) -> frozenset[str]:
    """Return who takes turns in a layer or rotation that matters after `at`."""
    layers = (layer for layer in schedule.layers if layer.end is None or layer.end > at)
    events = (
        event
        for rotation in schedule.rotations
        for event in rotation.events
        if event.effective_until is None or event.effective_until > at
    )
    people = {user_id for layer in layers for user_id in layer.user_ids}
    people |= {member for event in events for member in event.member_ids if member is not None}
    return frozenset(people)


def without_person(schedule: Schedule, user_id: str, at: int, interpretation: Interpretation) -> Schedule:
    """Return the schedule without the person from `at` on. Turns go on with whoever would be next."""

    def leave(order: Order, turn: int) -> Order:
        return without_member(order, user_id, turn)

    layers: list[Layer] = []
    for layer in schedule.layers:
        is_concerned = user_id in layer.user_ids and (layer.end is None or layer.end > at)
        layers += _split_layer(schedule, layer, at, interpretation, leave) if is_concerned else [layer]
    rotations = tuple(
        _edit_events(rotation, at, interpretation, leave, lambda event: user_id in event.member_ids)
        for rotation in schedule.rotations
    )
    custom_shifts = tuple(
        replace(shift, user_id=None) if shift.user_id == user_id and shift.end > at else shift
        for shift in schedule.custom_shifts
    )
    overrides = tuple(
        cut
        for override in schedule.overrides
        if (cut := _ended(override, at) if override.user_id == user_id else override) is not None
    )
    return replace(
        schedule, layers=tuple(layers), rotations=rotations, custom_shifts=custom_shifts, overrides=overrides
    )


def with_person(
    schedule: Schedule,
    part: str | None,
    user_id: str,
    after: str | None,
    at: int,
    interpretation: Interpretation,
) -> Schedule:
    """Return the schedule with the person in a part from `at` on. Whoever has the present turn keeps it.

    Raises ScenarioInvalid.
    """

    def join(order: Order, turn: int) -> Order:
        if user_id in order:
            raise ScenarioInvalid("user: this person is in that part already")
        if after is not None and after not in order:
            raise ScenarioInvalid("after: this person is not in that part")
        return with_member(order, user_id, turn, after)

    if schedule.kind is ScheduleKind.LAYERS:
        chosen = find_layer(schedule, part, at)
        layers: list[Layer] = []
        for layer in schedule.layers:
            is_chosen = layer is chosen
            layers += _split_layer(schedule, layer, at, interpretation, join) if is_chosen else [layer]
        return replace(schedule, layers=tuple(layers))
    _, event = find_event(schedule, part, at)
    rotations = tuple(
        _edit_events(rotation, at, interpretation, join, lambda candidate: candidate is event)
        for rotation in schedule.rotations
    )
    return replace(schedule, rotations=rotations)


def with_rotation(schedule: Schedule, change: NewRotation, users: tuple[str, ...]) -> Schedule:
    """Return the schedule with people who take turns from a moment on, above or instead of what it has."""
    start = int(change.start.timestamp())
    if schedule.kind is ScheduleKind.LAYERS:
        layer = Layer(
            f"new:{change.name}",
            change.name,
            start,
            None,
            start,
            change.turn_days * _DAY,
            users,
            _restrictions(change),
        )
        rest = _layers_ended(schedule, start) if change.replaces else schedule.layers
        return replace(schedule, layers=(layer, *rest))
    event = rotation_event(change, users, schedule.time_zone)
    rotation = Rotation(f"new:{change.name}", change.name, (event,))
    rest_of = schedule.rotations
    if change.replaces:
        rest_of = tuple(
            replace(found, events=tuple(_event_ended(event, start) for event in found.events))
            for found in schedule.rotations
        )
    return replace(schedule, rotations=(*rest_of, rotation))


def rotation_event(change: NewRotation, users: tuple[str, ...], zone_name: str) -> RotationEvent:
    """Return the new rotation as an event that PagerDuty and its web editor accept."""
    zone = _zone(zone_name)
    start = int(change.start.timestamp())
    first, last, rule, per_member = _first_shift(change, to_local(start, zone))
    return RotationEvent(
        f"new:{change.name}",
        change.name,
        to_epoch(first, zone),
        to_epoch(last, zone),
        zone.key,
        start,
        None,
        (rule,),
        AssignmentStrategy.ROTATING,
        per_member,
        users,
    )


def local_day(schedule: Schedule, day: date) -> Span:
    """Return the local day of the schedule's zone, in epoch seconds."""
    zone, midnight = _zone(schedule.time_zone), datetime.combine(day, time())
    return Span(to_epoch(midnight, zone), to_epoch(midnight + timedelta(days=1), zone))


def _first_shift(change: NewRotation, start: datetime) -> tuple[datetime, datetime, str, int]:
    """Return the first shift's local start and end, the RRULE, and the shifts of each member's turn."""
    if change.from_clock is None or change.to_clock is None:
        weeks, rest = divmod(change.turn_days, 7)
        frequency = f"WEEKLY;INTERVAL={weeks}" if rest == 0 else f"DAILY;INTERVAL={change.turn_days}"
        rule = f"RRULE:FREQ={frequency}".removesuffix(";INTERVAL=1")
        return start, start + timedelta(days=change.turn_days), rule, 1
    opens, closes = time.fromisoformat(change.from_clock), time.fromisoformat(change.to_clock)
    first = datetime.combine(start.date(), opens)
    while change.days and first.isoweekday() not in {weekday_number(day) for day in change.days}:
        first += timedelta(days=1)
    last = datetime.combine(first.date(), closes)
    last += timedelta(days=last <= first)
    if not change.days:
        return first, last, "RRULE:FREQ=DAILY", change.turn_days
    if change.turn_days % 7:
        raise ScenarioInvalid("turn_days: with days, a turn is a number of weeks")
    days = sorted(change.days, key=weekday_number)
    return (
        first, last, f"RRULE:FREQ=WEEKLY;BYDAY={','.join(days)}", len(days) * (change.turn_days // 7)
    )  # fmt: skip


def _restrictions(change: NewRotation) -> tuple[Restriction, ...]:
    if change.from_clock is None or change.to_clock is None:
        return ()
    opens, closes = (_seconds(clock) for clock in (change.from_clock, change.to_clock))
    duration = (closes - opens) % _DAY or _DAY
    if not change.days:
        return (Restriction(RestrictionKind.DAILY, opens, duration),)
    days = sorted(weekday_number(day) for day in change.days)
    return tuple(Restriction(RestrictionKind.WEEKLY, opens, duration, day) for day in days)


def _seconds(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 3600 + int(minute) * 60


def _split_layer(
    schedule: Schedule,
    layer: Layer,
    at: int,
    interpretation: Interpretation,
    edit: Callable[[Order, int], Order],
) -> list[Layer]:
    turn = _turn_number(layer, at, _zone(schedule.time_zone), interpretation)
    users = tuple(user_id for user_id in edit(layer.user_ids, turn) if user_id is not None)
    past = [replace(layer, id=f"{layer.id}:past", end=at)] if layer.start < at else []
    return [*([replace(layer, start=max(layer.start, at), user_ids=users)] if users else []), *past]


def _turn_number(layer: Layer, at: int, zone: tzinfo, interpretation: Interpretation) -> int:
    clock = interpretation.turn_clock
    if clock is TurnClock.LOCAL or (clock is TurnClock.WHOLE_DAYS_LOCAL and layer.turn_seconds % _DAY == 0):
        passed = to_local(at, zone) - to_local(layer.rotation_virtual_start, zone)
        return passed // timedelta(seconds=layer.turn_seconds)
    return (at - layer.rotation_virtual_start) // layer.turn_seconds


def _edit_events(
    rotation: Rotation,
    at: int,
    interpretation: Interpretation,
    edit: Callable[[Order, int], Order],
    is_concerned: Callable[[RotationEvent], bool],
) -> Rotation:
    events: list[RotationEvent] = []
    for event in rotation.events:
        is_over = event.effective_until is not None and event.effective_until <= at
        if is_over or not is_concerned(event):
            events.append(event)
            continue
        if event.effective_since < at:
            events.append(replace(event, id=f"{event.id}:past", effective_until=at))
        members = edit(event.member_ids, _shift_turn(event, at, interpretation))
        if any(member is not None for member in members):
            since = max(event.effective_since, at)
            events.append(replace(event, effective_since=since, member_ids=members))
    return replace(rotation, events=tuple(events))


def _shift_turn(event: RotationEvent, at: int, interpretation: Interpretation) -> int:
    """Return the number of the turn at `at`, as the successor of the event counts its turns."""
    if interpretation.count_from is CountFrom.EFFECTIVE_SINCE:
        return 0
    zone = _zone(event.time_zone)
    starts = occurrences(event.recurrence, to_local(event.first_start, zone), zone, at + 1)
    return max(0, bisect_right(starts, at) - 1) // max(1, event.shifts_per_member)


def _layers_ended(schedule: Schedule, at: int) -> tuple[Layer, ...]:
    ended = (replace(layer, end=at if layer.end is None else min(layer.end, at)) for layer in schedule.layers)
    return tuple(layer for layer in ended if layer.end is not None and layer.end > layer.start)


def _event_ended(event: RotationEvent, at: int) -> RotationEvent:
    until = at if event.effective_until is None else min(event.effective_until, at)
    return replace(event, effective_until=until)


def _ended(override: Override, at: int) -> Override | None:
    if override.start >= at:
        return None
    return replace(override, end=min(override.end, at))


def _zone(name: str) -> ZoneInfo:
    zone = time_zone(name)
    if zone is None:
        raise ZoneUnknown(f"the time zone {name[:60]!r} is not known")
    return zone
