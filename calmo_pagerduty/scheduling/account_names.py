"""Find what a scenario names: people, schedules, layers and policies, by id or by exact name. Pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Layer,
    Policy,
    Rotation,
    RotationEvent,
    Schedule,
    Target,
    TargetKind,
    User,
)


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


NamedObject = TypeVar("NamedObject", bound=_Named)


def find_user(snapshot: AccountSnapshot, named: str) -> User:
    return _find(snapshot.users, named, "person")


def find_schedule(snapshot: AccountSnapshot, named: str) -> Schedule:
    return _find(snapshot.schedules, named, "schedule")


def find_policy(snapshot: AccountSnapshot, named: str) -> Policy:
    return _find(snapshot.policies, named, "escalation policy")


def find_target(snapshot: AccountSnapshot, named: str) -> Target:
    """Return the schedule or the person of that id or name; a schedule comes first."""
    if any(named.casefold() in (found.id.casefold(), found.name.casefold()) for found in snapshot.schedules):
        return Target(TargetKind.SCHEDULE, find_schedule(snapshot, named).id)
    return Target(TargetKind.USER, find_user(snapshot, named).id)


def find_layer(schedule: Schedule, named: str | None, at: int) -> Layer:
    """Return a layer that is active after `at`; without a name the only one."""
    live = [layer for layer in schedule.layers if layer.end is None or layer.end > at]
    return _find_part(live, schedule, named)


def find_event(schedule: Schedule, named: str | None, at: int) -> tuple[Rotation, RotationEvent]:
    """Return a rotation's event that is active after `at`; a rotation's id means its only event."""
    live = [
        (rotation, event)
        for rotation in schedule.rotations
        for event in rotation.events
        if event.effective_until is None or event.effective_until > at
    ]
    inside = [(rotation, event) for rotation, event in live if rotation.id == named]
    if len(inside) == 1:
        return inside[0]
    event = _find_part([event for _, event in live], schedule, named)
    return next(pair for pair in live if pair[1] is event)


def _find_part(parts: list[NamedObject], schedule: Schedule, named: str | None) -> NamedObject:
    if named is not None:
        return _find(parts, named, f"part of {schedule.name[:60]!r}")
    if len(parts) != 1:
        listed = ", ".join(part.name for part in parts)[:200]
        raise ScenarioInvalid(f"part: say which part of {schedule.name[:60]!r}; there is: {listed or 'none'}")
    return parts[0]


def _find(objects: Iterable[NamedObject], named: str, kind: str) -> NamedObject:
    everything = list(objects)
    for found in everything:
        if found.id == named:
            return found
    matching = [found for found in everything if found.name.casefold() == named.casefold()]
    if len(matching) == 1:
        return matching[0]
    if matching:
        ids = ", ".join(found.id for found in matching)[:200]
        raise ScenarioInvalid(f"several objects are named {named[:60]!r}: give an id of {ids}")
    raise ScenarioInvalid(f"the snapshot has no {kind} {named[:60]!r}")
