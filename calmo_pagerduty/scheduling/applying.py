"""Apply a scenario to a copy of a snapshot: the account as it would be. Pure.

Schedules whose layers or rotations change are rendered by us, so they must be proved first. All others keep
PagerDuty's own entries.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span, subtract
from calmo_pagerduty.kernel.local_bands import utc_offset
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.scheduling import schedule_edits
from calmo_pagerduty.scheduling.account_names import find_policy, find_schedule, find_target, find_user
from calmo_pagerduty.scheduling.proof import Proof, describe, proof_window, prove
from calmo_pagerduty.scheduling.rendering import Interpretation, render
from calmo_pagerduty.scheduling.scenarios import (
    Change,
    ClockChange,
    Holiday,
    Joiner,
    Leaver,
    NewRotation,
    PolicyChange,
    Scenario,
    ScenarioInvalid,
    TimeOff,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Entry,
    EscalationRule,
    Policy,
    Schedule,
    Target,
    TargetKind,
    User,
)

MINUTES_UNTIL_NEXT_LEVEL = 30


class WhatIfRefused(ExplainedError):
    """We don't render a schedule as PagerDuty does, so its change can't be foretold. Says the difference."""


@dataclass(frozen=True, slots=True)
class Absence:
    user_id: str
    span: Span
    cover_id: str | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The account before and after; only schedules in `changed_schedules` have other entries."""

    before: AccountSnapshot
    after: AccountSnapshot
    window: Span
    changed_schedules: tuple[str, ...]
    proofs: tuple[Proof, ...]
    #: Local dates that count as holidays after the change, with their names.
    holidays: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Edit:
    """The account while changes are applied, one after the other."""

    snapshot: AccountSnapshot
    interpretations: Callable[[str], Interpretation]
    window: Span
    rendered: set[str] = field(default_factory=set)
    frozen_clocks: set[str] = field(default_factory=set)
    absences: list[Absence] = field(default_factory=list)
    closed: list[tuple[str, Span]] = field(default_factory=list)
    holidays: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put_schedule(self, schedule: Schedule) -> None:
        self.rendered.add(schedule.id)
        schedules = (schedule if found.id == schedule.id else found for found in self.snapshot.schedules)
        self.snapshot = replace(self.snapshot, schedules=tuple(schedules))

    def put_policy(self, policy: Policy) -> None:
        policies = (policy if found.id == policy.id else found for found in self.snapshot.policies)
        self.snapshot = replace(self.snapshot, policies=tuple(policies))


def apply_scenario(snapshot: AccountSnapshot, scenario: Scenario, now: int) -> Applied:
    """Return the account before and after the scenario's changes, over its window.

    Raises ScenarioInvalid, WhatIfRefused.
    """
    window = _window(snapshot, scenario, now)
    prover = _Prover(snapshot)
    edit = _Edit(snapshot, prover.interpretation, window)
    for change in scenario.changes:
        _APPLIERS[type(change)](edit, change)
    for schedule_id in edit.rendered | edit.frozen_clocks:
        prover.interpretation(schedule_id)
    before = _replace_schedules(snapshot, lambda schedule: _with_frozen_clock(schedule, edit))
    after = _replace_schedules(edit.snapshot, lambda schedule: _with_entries(schedule, edit))
    return Applied(
        before,
        after,
        window,
        _changed(before, after),
        tuple(sorted(prover.proofs.values(), key=lambda proof: proof.schedule_id)),
        dict(sorted(edit.holidays.items())),
        tuple(edit.notes),
    )


class _Prover:
    """Proves each schedule that is rendered, once."""

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self._schedules = {schedule.id: schedule for schedule in snapshot.schedules}
        self.proofs: dict[str, Proof] = {}

    def interpretation(self, schedule_id: str) -> Interpretation:
        """Raises WhatIfRefused."""
        schedule = self._schedules[schedule_id]
        if schedule_id not in self.proofs:
            self.proofs[schedule_id] = prove(schedule, proof_window(self._snapshot))
        proof = self.proofs[schedule_id]
        if proof.interpretation is None:
            names = {user.id: user.name for user in self._snapshot.users}
            raise WhatIfRefused(
                f"what-if is refused, since we don't render this schedule as PagerDuty does:"
                f" {describe(proof, schedule, names)}"
            )
        return proof.interpretation


def _window(snapshot: AccountSnapshot, scenario: Scenario, now: int) -> Span:
    start = int(scenario.since.timestamp()) if scenario.since else now
    start = max(start, snapshot.rendered_since)
    end = min(start + scenario.days * 86_400, snapshot.rendered_until)
    if end - start < 3600:
        raise ScenarioInvalid("since: PagerDuty's schedules of that time are not in the snapshot")
    return Span(start, end)


def _replace_schedules(snapshot: AccountSnapshot, change: Callable[[Schedule], Schedule]) -> AccountSnapshot:
    return replace(snapshot, schedules=tuple(change(schedule) for schedule in snapshot.schedules))


def _with_frozen_clock(schedule: Schedule, edit: _Edit) -> Schedule:
    """Return the schedule as if its clock kept the offset that it has when the window begins."""
    if schedule.id not in edit.frozen_clocks:
        return schedule
    zone = time_zone(schedule.time_zone)
    assert zone is not None  # it was proved
    offset = timezone(timedelta(seconds=utc_offset(edit.window.start, zone)))
    return replace(schedule, entries=_rendered_from_now(schedule, edit, offset))


def _rendered_from_now(schedule: Schedule, edit: _Edit, zone: tzinfo | None = None) -> tuple[Entry, ...]:
    """Return PagerDuty's entries up to the window, and ours from its start to the end of the snapshot."""
    start = edit.window.start
    past = (entry for entry in schedule.entries or () if entry.start < start)
    future = Span(start, edit.snapshot.rendered_until)
    return (
        *(replace(entry, end=min(entry.end, start)) for entry in past),
        *render(schedule, future, edit.interpretations(schedule.id), zone),
    )


def _with_entries(schedule: Schedule, edit: _Edit) -> Schedule:
    entries = schedule.entries
    if schedule.id in edit.rendered:
        entries = _rendered_from_now(schedule, edit)
    if entries is None:
        return schedule
    for absence in edit.absences:
        entries = _without(entries, absence.span, absence.user_id, absence.cover_id)
    for schedule_id, span in edit.closed:
        if schedule_id == schedule.id:
            entries = _without(entries, span, None, None)
    return schedule if entries is schedule.entries else replace(schedule, entries=entries)


def _without(
    entries: Iterable[Entry], span: Span, user_id: str | None, cover_id: str | None
) -> tuple[Entry, ...]:
    """Return the entries without a person in the span, or with their cover. No user means everybody."""
    result: list[Entry] = []
    for entry in entries:
        inside = Span(max(entry.start, span.start), min(entry.end, span.end))
        if inside.start >= inside.end or user_id not in (None, entry.user_id):
            result.append(entry)
            continue
        rest = subtract([Span(entry.start, entry.end)], [span])
        result += [replace(entry, start=part.start, end=part.end) for part in rest]
        if cover_id is not None:
            result.append(replace(entry, start=inside.start, end=inside.end, user_id=cover_id))
    return tuple(sorted(result, key=lambda entry: (entry.start, entry.end, entry.user_id, entry.source)))


def _changed(before: AccountSnapshot, after: AccountSnapshot) -> tuple[str, ...]:
    entries = {schedule.id: schedule.entries for schedule in before.schedules}
    return tuple(
        schedule.id
        for schedule in after.schedules
        if schedule.id not in entries or schedule.entries is not entries[schedule.id]
    )


def _leave(edit: _Edit, change: Leaver) -> None:
    user, at = find_user(edit.snapshot, change.user), int(change.at.timestamp())
    found = False
    for schedule in edit.snapshot.schedules:
        if user.id not in schedule_edits.people_of(schedule, at):
            continue
        found = True
        interpretation = edit.interpretations(schedule.id)
        edit.put_schedule(schedule_edits.without_person(schedule, user.id, at, interpretation))
    for policy in edit.snapshot.policies:
        target = Target(TargetKind.USER, user.id)
        if any(target in rule.targets for rule in policy.rules):
            found = True
            edit.put_policy(_without_target(policy, target))
            if at > edit.window.start:
                edit.notes.append(f"{policy.name}: {user.name} counts as gone from its levels all the time.")
    if not found:
        raise ScenarioInvalid(f"user: {user.name[:60]!r} is in no schedule and no policy after that time")


def _without_target(policy: Policy, target: Target) -> Policy:
    rules = tuple(
        replace(rule, targets=tuple(other for other in rule.targets if other != target))
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


def _join(edit: _Edit, change: Joiner) -> None:
    at = int(change.at.timestamp())
    if change.new_user is not None:
        user = User(f"new:{change.new_user}", change.new_user, None, change.time_zone)
        if all(known.id != user.id for known in edit.snapshot.users):
            edit.snapshot = replace(edit.snapshot, users=(*edit.snapshot.users, user))
    else:
        user = find_user(edit.snapshot, change.user or "")
    schedule = find_schedule(edit.snapshot, change.schedule)
    after = None if change.after is None else find_user(edit.snapshot, change.after).id
    interpretation = edit.interpretations(schedule.id)
    edit.put_schedule(schedule_edits.with_person(schedule, change.part, user.id, after, at, interpretation))


def _take_time_off(edit: _Edit, change: TimeOff) -> None:
    user = find_user(edit.snapshot, change.user)
    cover = None if change.cover is None else find_user(edit.snapshot, change.cover).id
    span = Span(int(change.start.timestamp()), int(change.end.timestamp()))
    edit.absences.append(Absence(user.id, span, cover))
    edit.notes += [
        f"{policy.name}: {user.name} is on a level directly, and counts as on call there while away."
        for policy in edit.snapshot.policies
        if any(Target(TargetKind.USER, user.id) in rule.targets for rule in policy.rules)
    ]


def _rotate(edit: _Edit, change: NewRotation) -> None:
    schedule = find_schedule(edit.snapshot, change.schedule)
    users = tuple(find_user(edit.snapshot, named).id for named in change.users)
    edit.interpretations(schedule.id)
    edit.put_schedule(schedule_edits.with_rotation(schedule, change, users))


def _change_policy(edit: _Edit, change: PolicyChange) -> None:
    policy = find_policy(edit.snapshot, change.policy)
    rules = list(policy.rules)
    if change.level is not None:
        targets = tuple(find_target(edit.snapshot, named) for named in change.targets)
        index = change.level - 1
        if index > len(rules) or (index == len(rules) and not targets):
            raise ScenarioInvalid(f"level: {policy.name[:60]!r} has {len(rules)} levels")
        if change.remove and index < len(rules):
            del rules[index]
        elif index == len(rules):
            delay = change.delay_minutes or MINUTES_UNTIL_NEXT_LEVEL
            rules.append(EscalationRule(f"new:{change.level}", delay, targets))
        else:
            rule = rules[index]
            delay = change.delay_minutes or rule.delay_minutes
            rules[index] = replace(rule, delay_minutes=delay, targets=targets or rule.targets)
    num_loops = policy.num_loops if change.num_loops is None else change.num_loops
    edit.put_policy(replace(policy, rules=tuple(rules), num_loops=num_loops))


def _freeze_clock(edit: _Edit, change: ClockChange) -> None:
    if change.schedule is not None:
        chosen = [find_schedule(edit.snapshot, change.schedule)]
    else:
        chosen = [schedule for schedule in edit.snapshot.schedules if _clock_changes(schedule, edit.window)]
    if not chosen:
        edit.notes.append("No schedule's clock changes in this time.")
    edit.frozen_clocks |= {schedule.id for schedule in chosen}


def _clock_changes(schedule: Schedule, window: Span) -> bool:
    zone = time_zone(schedule.time_zone)
    days = range(window.start, window.end + 86_400, 86_400)
    return zone is not None and len({utc_offset(min(day, window.end), zone) for day in days}) > 1


def _celebrate(edit: _Edit, change: Holiday) -> None:
    edit.holidays[change.day.isoformat()] = change.name
    for named in change.closed:
        schedule = find_schedule(edit.snapshot, named)
        edit.closed.append((schedule.id, schedule_edits.local_day(schedule, change.day)))


_APPLIERS: Mapping[type[Change], Callable[[_Edit, Any], None]] = MappingProxyType(
    {
        Leaver: _leave,
        Joiner: _join,
        TimeOff: _take_time_off,
        NewRotation: _rotate,
        PolicyChange: _change_policy,
        ClockChange: _freeze_clock,
        Holiday: _celebrate,
    }
)
