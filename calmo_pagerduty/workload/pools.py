"""Who shares a schedule, what each should bear, and what a turn of theirs is. Pure.

The pool is everybody in the schedule's layers or rotations, people without an hour included. A person's
target is a share of all hours, in proportion to the time of membership within the window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds, union
from calmo_pagerduty.kernel.local_bands import Band, seconds_by_band
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    Layer,
    Restriction,
    RestrictionKind,
    RotationEvent,
    Schedule,
)
from calmo_pagerduty.workload.people import OnCallTimes, Person

DAY = 86_400
WEEK = 7 * DAY
#: More than 1.25 times the target is too much, if it is a turn or more above it.
MAX_TARGET_RATIO = 1.25
#: How many hours an hour of a band may count for. Weights are opinions, so all corners are looked at.
MIN_WEIGHT, MAX_WEIGHT = 1, 3

Weights = tuple[int, int, int]
#: Weights of business, off and sleep hours. Equal weights are the same question, so (3, 3, 3) is left out.
CORNERS: tuple[Weights, ...] = tuple(
    (business, off, sleep)
    for business, off, sleep in product((MIN_WEIGHT, MAX_WEIGHT), repeat=3)
    if (business, off, sleep) != (MAX_WEIGHT, MAX_WEIGHT, MAX_WEIGHT)
)


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's time in a pool within the window, and the hours of one turn in each of their parts."""

    user_id: str
    seconds: int
    turn_seconds: float


@dataclass(frozen=True, slots=True)
class Share:
    """What a member of a pool bears by one schedule, beside the target."""

    person: Person
    membership_seconds: int
    seconds: int
    target_seconds: float
    by_band: dict[Band, int]
    #: How far above the target chance of the rota alone may put someone: a turn in each of their parts.
    turn_seconds: float
    #: Above the target by design: over 1.25 times of it, and by a turn or more.
    is_above_target: bool
    #: The same for sleep hours alone.
    sleep_target_seconds: float
    is_above_sleep_target: bool
    #: Above the target whatever an hour of a band weighs, from 1 to 3.
    is_above_at_all_weights: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """The people who share a schedule. `guests` bear hours and are in none of its layers or rotations."""

    schedule: Schedule
    seconds: int
    shares: tuple[Share, ...]
    guests: tuple[tuple[Person, int], ...]
    window: Span


def memberships(schedule: Schedule, window: Span) -> tuple[Membership, ...]:
    """Return everybody in the layers or rotations that are in force within the window, by id."""
    spans: dict[str, list[Span]] = {}
    turns: dict[str, float] = {}
    for span, user_ids, turn_seconds in _parts(schedule):
        within = union(clip([span], window))
        for user_id in sorted(set(user_ids)) if within else ():
            spans.setdefault(user_id, []).extend(within)
            turns[user_id] = turns.get(user_id, 0.0) + turn_seconds
    return tuple(
        Membership(user_id, total_seconds(union(held)), turns[user_id])
        for user_id, held in sorted(spans.items())
    )


def pool_of(schedule: Schedule, times: OnCallTimes, people: dict[str, Person]) -> Pool | None:
    """Return who shares a schedule in the window of `times`; None if it wasn't rendered."""
    held = times.by_schedule.get(schedule.id)
    if held is None:
        return None
    members = [member for member in memberships(schedule, times.window) if people[member.user_id].is_known]
    bands = {
        user_id: seconds_by_band(held.get(user_id, ()), people[user_id].zone)
        for user_id in sorted({*held, *(member.user_id for member in members)})
    }
    member_ids = {member.user_id for member in members}
    return Pool(
        schedule=schedule,
        seconds=sum(total_seconds(spans) for spans in held.values()),
        shares=_shares(members, bands, people),
        guests=tuple(
            (people[user_id], total_seconds(spans))
            for user_id, spans in held.items()
            if user_id not in member_ids
        ),
        window=times.window,
    )


def load(by_band: dict[Band, int], weights: Weights) -> int:
    """Return weighted seconds: Σ weight * seconds over the bands."""
    return sum(weight * by_band[band] for band, weight in zip(Band, weights, strict=True))


def _shares(
    members: Sequence[Membership], bands: dict[str, dict[Band, int]], people: dict[str, Person]
) -> tuple[Share, ...]:
    """Targets share what the members bear together. Hours of guests are nobody's share."""
    total_membership = sum(member.seconds for member in members)
    totals = {band: sum(bands[member.user_id][band] for member in members) for band in Band}
    shares = []
    for member in members:
        own, part = bands[member.user_id], member.seconds / total_membership
        above = {corner: _is_above(member, own, totals, part, corner) for corner in CORNERS}
        sleep_target = totals[Band.SLEEP] * part
        shares.append(
            Share(
                person=people[member.user_id],
                membership_seconds=member.seconds,
                seconds=sum(own.values()),
                target_seconds=sum(totals.values()) * part,
                by_band=own,
                turn_seconds=member.turn_seconds,
                is_above_target=above[CORNERS[0]],
                sleep_target_seconds=sleep_target,
                is_above_sleep_target=_exceeds(own[Band.SLEEP], sleep_target, _sleep_turn(member, own)),
                is_above_at_all_weights=all(above.values()),
            )
        )
    return tuple(shares)


def _is_above(
    member: Membership, own: dict[Band, int], totals: dict[Band, int], part: float, weights: Weights
) -> bool:
    """Judge a member's load at these weights. A turn weighs what the member's hours weigh on average."""
    borne, hours = load(own, weights), sum(own.values())
    turn = member.turn_seconds * (borne / hours if hours else 1.0)
    return _exceeds(borne, load(totals, weights) * part, turn)


def _exceeds(borne: float, target: float, turn: float) -> bool:
    """Tell whether something is too much. A rota's phase alone puts people less than a turn above."""
    return borne > MAX_TARGET_RATIO * target and borne - target >= turn and borne > 0


def _sleep_turn(member: Membership, own: dict[Band, int]) -> float:
    hours = sum(own.values())
    return member.turn_seconds * own[Band.SLEEP] / hours if hours else member.turn_seconds


def _parts(schedule: Schedule) -> Iterator[tuple[Span, Sequence[str], float]]:
    """Yield the layers, or the rotations' events: when in force, whose, and the hours of one turn."""
    far = 2**62
    for layer in schedule.layers:
        end = far if layer.end is None else layer.end
        yield Span(layer.start, end), layer.user_ids, _layer_turn(layer)
    for rotation in schedule.rotations:
        for event in () if rotation.is_shadow else rotation.events:
            end = far if event.effective_until is None else event.effective_until
            members = [member for member in event.member_ids if member is not None]
            yield Span(event.effective_since, end), members, _event_turn(event)


def _layer_turn(layer: Layer) -> float:
    return layer.turn_seconds * min(1.0, sum(map(_weekly_seconds, layer.restrictions)) / WEEK or 1.0)


def _weekly_seconds(restriction: Restriction) -> int:
    return restriction.duration * (7 if restriction.kind is RestrictionKind.DAILY else 1)


def _event_turn(event: RotationEvent) -> float:
    shifts = event.shifts_per_member if event.strategy is AssignmentStrategy.ROTATING else 1
    return (event.first_end - event.first_start) * max(1, shifts)
