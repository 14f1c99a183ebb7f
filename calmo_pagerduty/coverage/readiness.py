"""Readiness: if an incident fired now, who could be paged, by which channel, at which urgency? Pure.

A grid of person, urgency and channel, of the people that can be on call. A gap is a cell of its own. What
PagerDuty does not say is unknown, shown amber, and never counts as ready. E-mail wakes nobody: a person with
e-mail only is not ready.

Source: PagerDuty's REST API, `contact_methods` (enabled, blacklisted) and `notification_rules` of a user.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    TargetKind,
    Urgency,
    User,
)
from calmo_pagerduty.snapshots.notification_rules import RuleReach, rules_of
from calmo_pagerduty.snapshots.on_call import OnCallIndex

READINESS_DAYS = 30


class CellState(StrEnum):
    """What a person's channel does at an urgency."""

    READY = "ready"
    #: All of its rules fire only after the policy has moved on.
    TOO_LATE = "too_late"
    #: PagerDuty does not say whether the contact method works.
    UNKNOWN = "unknown"
    #: There is a rule, and its contact method is disabled or blacklisted.
    DISABLED = "disabled"
    #: There is a contact method, and no rule of this urgency uses it.
    NO_RULE = "no_rule"
    #: The person has no such contact method.
    ABSENT = "absent"


class PersonState(StrEnum):
    """The worst first."""

    NOT_REACHABLE = "not_reachable"
    NEVER_PAGED = "never_paged"
    EMAIL_ONLY = "email_only"
    UNKNOWN = "unknown"
    READY = "ready"


#: Traffic lights, with words beside them in every face.
LIGHTS: Mapping[PersonState, str] = MappingProxyType(
    {
        PersonState.NOT_REACHABLE: "red",
        PersonState.NEVER_PAGED: "red",
        PersonState.EMAIL_ONLY: "red",
        PersonState.UNKNOWN: "amber",
        PersonState.READY: "green",
    }
)
ADVICE: Mapping[PersonState, str] = MappingProxyType(
    {
        PersonState.NOT_REACHABLE: "add a push, phone or SMS contact method and a high-urgency rule at once",
        PersonState.NEVER_PAGED: "set a high-urgency rule with a delay below the level's delay",
        PersonState.EMAIL_ONLY: "add a push, phone or SMS contact method with a high-urgency rule",
        PersonState.UNKNOWN: "let the token read contact methods and notification rules, or ask the person",
        PersonState.READY: "nothing to do",
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """`first_minutes`: when the channel's first rule that can be used fires, after the assignment."""

    urgency: Urgency
    channel: ContactKind
    state: CellState
    first_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """A level on which the person can be. `moves_on_after`: minutes; None on the last level."""

    policy_id: str
    level: int
    moves_on_after: int | None


@dataclass(frozen=True, slots=True)
class PersonReadiness:
    user_id: str
    state: PersonState
    cells: tuple[Cell, ...]
    duties: tuple[Duty, ...]
    #: Levels that move on before the person's first page of high urgency.
    missed: tuple[Duty, ...]


def readiness(snapshot: AccountSnapshot, now: int, days: int = READINESS_DAYS) -> tuple[PersonReadiness, ...]:
    """Return the readiness of everybody who can be on call in the next days, the worst first."""
    index = OnCallIndex(snapshot)
    timelines = Timelines(index, Span(now, now + days * DAY))
    people = [
        person_readiness(index.users[user_id], duties)
        for user_id, duties in sorted(duties_of(timelines).items())
        if user_id in index.users
    ]
    order = {state: rank for rank, state in enumerate(PersonState)}
    return tuple(sorted(people, key=lambda person: (order[person.state], person.user_id)))


def duties_of(timelines: Timelines) -> dict[str, tuple[Duty, ...]]:
    """Return the levels on which each person can be in the window, by user id.

    People of a schedule's layers and rotations count even without a shift in the window.
    """
    index = timelines.index
    members = {schedule.id: _members(timelines, schedule.id) for schedule in index.snapshot.schedules}
    duties: dict[str, dict[Duty, None]] = {}
    for policy in index.snapshot.policies:
        for number, rule in enumerate(policy.rules, 1):
            is_last = number == len(policy.rules)
            duty = Duty(policy.id, number, None if is_last else rule.delay_minutes)
            for target in rule.targets:
                ids = [target.id] if target.kind is TargetKind.USER else members.get(target.id, ())
                for user_id in ids:
                    duties.setdefault(user_id, {})[duty] = None
    return {user_id: tuple(found) for user_id, found in duties.items()}


def person_readiness(user: User, duties: tuple[Duty, ...]) -> PersonReadiness:
    """Return a person's grid and state. `duties` are the levels on which the person can be."""
    shortest = min((d.moves_on_after for d in duties if d.moves_on_after is not None), default=None)
    cells = tuple(_cell(user, urgency, kind, shortest) for urgency in Urgency for kind in ContactKind)
    first = _first_page(cells)
    missed = tuple(
        duty
        for duty in duties
        if duty.moves_on_after is not None and first is not None and first >= duty.moves_on_after
    )
    return PersonReadiness(user.id, _state(cells, bool(missed)), cells, duties, missed)


def _state(cells: Iterable[Cell], has_missed: bool) -> PersonState:
    """Return the state at high urgency: the best that any channel allows, never better than what is known."""
    high = [cell for cell in cells if cell.urgency is Urgency.HIGH]
    loud = {cell.state for cell in high if cell.channel is not ContactKind.EMAIL}
    if has_missed:
        return PersonState.NEVER_PAGED
    if CellState.READY in loud:
        return PersonState.READY
    if CellState.UNKNOWN in loud:
        return PersonState.UNKNOWN
    email = next(cell.state for cell in high if cell.channel is ContactKind.EMAIL)
    if email in (CellState.READY, CellState.TOO_LATE, CellState.UNKNOWN):
        return PersonState.EMAIL_ONLY
    return PersonState.NOT_REACHABLE


def _first_page(cells: Iterable[Cell]) -> int | None:
    """Return after how many minutes the first channel but e-mail is used; None if none is for sure."""
    return min(
        (
            cell.first_minutes
            for cell in cells
            if cell.urgency is Urgency.HIGH
            and cell.channel is not ContactKind.EMAIL
            and cell.first_minutes is not None
        ),
        default=None,
    )


def _cell(user: User, urgency: Urgency, kind: ContactKind, shortest: int | None) -> Cell:
    rules = rules_of(user, urgency)
    if user.contact_methods is None or rules is None:
        return Cell(urgency, kind, CellState.UNKNOWN)
    methods = [method for method in user.contact_methods if method.kind is kind]
    used = [reach for reach in rules if reach.method is not None and reach.method.kind is kind]
    if not methods:
        return Cell(urgency, kind, CellState.ABSENT)
    if not used:
        return Cell(urgency, kind, CellState.NO_RULE)
    usable = [reach for reach in used if reach.is_usable is True]
    if not usable:
        is_unknown = any(reach.is_usable is None for reach in used)
        return Cell(
            urgency, kind, CellState.UNKNOWN if is_unknown else CellState.DISABLED, _first(used, is_unknown)
        )
    first = _first(usable, True)
    is_late = urgency is Urgency.HIGH and shortest is not None and first is not None and first >= shortest
    return Cell(urgency, kind, CellState.TOO_LATE if is_late else CellState.READY, first)


def _first(rules: list[RuleReach], counts: bool) -> int | None:
    return min((reach.rule.delay_minutes for reach in rules), default=None) if counts else None


def _members(timelines: Timelines, schedule_id: str) -> list[str]:
    """Return who can be on call by a schedule: in its layers and rotations, or in a shift of the window."""
    schedule = timelines.index.schedules[schedule_id]
    window = timelines.window
    ids = {
        user_id
        for layer in schedule.layers
        if layer.end is None or layer.end > window.start
        for user_id in layer.user_ids
    }
    ids |= {
        member
        for rotation in schedule.rotations
        if not rotation.is_shadow
        for event in rotation.events
        if event.effective_until is None or event.effective_until > window.start
        for member in event.member_ids
        if member is not None
    }
    for shift in timelines.index.schedule_shifts(schedule_id) or ():
        if shift.start < window.end and shift.end > window.start:
            ids.update(shift.user_ids)
    return sorted(ids)
