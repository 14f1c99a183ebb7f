"""Who is on call by a schedule or a target at a moment, and over time, as PagerDuty rendered it. Pure.

All times are epoch seconds (UTC), intervals are half-open. Shadow rotations don't count: their people watch.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Entry,
    EscalationRule,
    Policy,
    Schedule,
    Service,
    Target,
    TargetKind,
    User,
)

People = tuple[str, ...]
NOBODY: People = ()


class Shift(NamedTuple):
    """Who is on call from `start` to `end` (exclusive): ids in order, none if nobody is."""

    start: int
    end: int
    user_ids: People


def paged_entries(schedule: Schedule) -> tuple[Entry, ...] | None:
    """Return the entries of people who are paged; None if PagerDuty rendered none."""
    shadows = {rotation.id for rotation in schedule.rotations if rotation.is_shadow}
    if schedule.entries is None or not shadows:
        return schedule.entries
    shadows |= {override.id for override in schedule.overrides if override.rotation_id in shadows}
    return tuple(entry for entry in schedule.entries if entry.source.partition(":")[2] not in shadows)


def shifts_of(entries: Iterable[Entry], window: Span) -> tuple[Shift, ...]:
    """Return who is on call at every moment of the window, without holes: shifts of nobody fill them."""
    begins: dict[int, list[str]] = {}
    ends: dict[int, list[str]] = {}
    for entry in entries:
        start, end = max(entry.start, window.start), min(entry.end, window.end)
        if start < end:
            begins.setdefault(start, []).append(entry.user_id)
            ends.setdefault(end, []).append(entry.user_id)
    counts: dict[str, int] = {}
    shifts: list[Shift] = []
    moments = sorted({window.start, *begins, *ends})
    for moment, until in zip(moments, [*moments[1:], window.end], strict=True):
        for user_id in begins.get(moment, ()):
            counts[user_id] = counts.get(user_id, 0) + 1
        for user_id in ends.get(moment, ()):
            counts[user_id] -= 1
            if not counts[user_id]:
                del counts[user_id]
        if moment < until:
            _append(shifts, moment, until, tuple(sorted(counts)))
    return tuple(shifts)


def merge_shifts(tracks: Sequence[Sequence[Shift]], window: Span) -> tuple[Shift, ...]:
    """Return who is on call by any of the tracks, each of which covers the window without holes."""
    if not tracks:
        return (Shift(window.start, window.end, NOBODY),)
    if len(tracks) == 1:
        return tuple(tracks[0])
    merged: list[Shift] = []
    positions = [0] * len(tracks)
    moment = window.start
    while moment < window.end:
        current = [track[position] for track, position in zip(tracks, positions, strict=True)]
        until = min(shift.end for shift in current)
        people = {user_id for shift in current for user_id in shift.user_ids}
        _append(merged, moment, until, tuple(sorted(people)))
        for index, shift in enumerate(current):
            if shift.end == until:
                positions[index] += 1
        moment = until
    return tuple(merged)


def _append(shifts: list[Shift], start: int, end: int, people: People) -> None:
    if shifts and shifts[-1].user_ids == people:
        shifts[-1] = shifts[-1]._replace(end=end)
    else:
        shifts.append(Shift(start, end, people))


class OnCallIndex:
    """A snapshot's objects by id, and who is on call by each of its schedules."""

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self.snapshot = snapshot
        self.rendered = Span(snapshot.rendered_since, snapshot.rendered_until)
        self._shifts: dict[str, tuple[Shift, ...] | None] = {}
        self._starts: dict[str, list[int]] = {}

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        return {schedule.id: schedule for schedule in self.snapshot.schedules}

    @cached_property
    def policies(self) -> dict[str, Policy]:
        return {policy.id: policy for policy in self.snapshot.policies}

    @cached_property
    def services(self) -> dict[str, Service]:
        return {service.id: service for service in self.snapshot.services}

    @cached_property
    def users(self) -> dict[str, User]:
        return {user.id: user for user in self.snapshot.users}

    def schedule_shifts(self, schedule_id: str) -> tuple[Shift, ...] | None:
        """Return a schedule's shifts in the whole rendered window; None if they are unknown."""
        if schedule_id not in self._shifts:
            schedule = self.schedules.get(schedule_id)
            entries = None if schedule is None else paged_entries(schedule)
            shifts = None if entries is None else shifts_of(entries, self.rendered)
            self._shifts[schedule_id] = shifts
            self._starts[schedule_id] = [shift.start for shift in shifts or ()]
        return self._shifts[schedule_id]

    def people_at(self, target: Target, at: int) -> People | None:
        """Return who is on call by a target; None if unknown, as it is outside of the rendered window."""
        if target.kind is TargetKind.USER:
            return (target.id,)
        shifts = self.schedule_shifts(target.id)
        if shifts is None or not self.rendered.start <= at < self.rendered.end:
            return None
        return shifts[bisect_right(self._starts[target.id], at) - 1].user_ids

    def level_shifts(self, rule: EscalationRule, window: Span) -> tuple[Shift, ...] | None:
        """Return who is on call on a level at every moment of the window, clipped to what is rendered.

        None if any of its schedules is unknown. Of round robin's people only some are paged at a time.
        """
        within = Span(max(window.start, self.rendered.start), min(window.end, self.rendered.end))
        tracks: list[tuple[Shift, ...]] = []
        for target in rule.targets:
            if target.kind is TargetKind.USER:
                tracks.append((Shift(within.start, within.end, (target.id,)),))
                continue
            shifts = self.schedule_shifts(target.id)
            if shifts is None:
                return None
            tracks.append(self._clipped(target.id, shifts, within))
        return merge_shifts(tracks, within)

    def _clipped(self, schedule_id: str, shifts: tuple[Shift, ...], within: Span) -> tuple[Shift, ...]:
        first = max(0, bisect_right(self._starts[schedule_id], within.start) - 1)
        return tuple(
            Shift(max(shift.start, within.start), min(shift.end, within.end), shift.user_ids)
            for shift in shifts[first:]
            if shift.start < within.end and shift.end > within.start
        )
