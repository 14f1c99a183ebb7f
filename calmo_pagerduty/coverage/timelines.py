"""Where somebody would be paged: by schedule, by level, by policy, as unions of intervals. Pure.

Who is on call comes from the stored rendering (`snapshots.on_call`), without shadow rotations. A person whom
PagerDuty no longer has is nobody. A level is covered if any of its targets is; a policy is covered if any
level is. So a policy's gap is the intersection of its levels' gaps, and an incident in it is dropped.

Source: PagerDuty's documentation, "Escalation Policies": an incident goes to the first level with somebody.
"""

from collections.abc import Iterable, Sequence

from calmo_pagerduty.coverage.model import Coverage
from calmo_pagerduty.kernel.intervals import Span, clip, intersect, subtract, union
from calmo_pagerduty.snapshots.model import (
    EscalationRule,
    Policy,
    SectionName,
    SectionState,
    Target,
    TargetKind,
)
from calmo_pagerduty.snapshots.on_call import OnCallIndex, paged_entries


class Timelines:
    """Coverage of an account's schedules, levels and policies in one window; computed when asked for."""

    def __init__(self, index: OnCallIndex, window: Span) -> None:
        self.index = index
        self.window = window
        self.known = _common(window, index.rendered)
        self._schedules: dict[str, Coverage] = {}
        self._intended: dict[str, tuple[Span, ...]] = {}
        self._users_are_complete = _is_complete(index, SectionName.USERS)

    def is_gone(self, user_id: str) -> bool:
        """Whether PagerDuty no longer has the person; False if users could not all be read."""
        return self._users_are_complete and user_id not in self.index.users

    def schedule(self, schedule_id: str) -> Coverage:
        """Return a schedule's coverage; all of it is unknown if the rendering is."""
        if schedule_id not in self._schedules:
            schedule = self.index.schedules.get(schedule_id)
            entries = None if schedule is None else paged_entries(schedule)
            if entries is None:
                self._schedules[schedule_id] = Coverage(self.window, (), (), (self.window,))
            else:
                gone = {user_id for user_id in {e.user_id for e in entries} if self.is_gone(user_id)}
                spans = (Span(entry.start, entry.end) for entry in entries if entry.user_id not in gone)
                self._schedules[schedule_id] = self._coverage(union(clip(spans, self.known)))
        return self._schedules[schedule_id]

    def intended_holes(self, schedule_id: str) -> tuple[Span, ...]:
        """Return a schedule's gaps that are meant to be: an `empty_member` has the shift (v3)."""
        if schedule_id not in self._intended:
            schedule = self.index.schedules.get(schedule_id)
            holes = () if schedule is None else schedule.intended_holes
            spans = [Span(hole.start, hole.end) for hole in holes]
            self._intended[schedule_id] = tuple(intersect(spans, self.schedule(schedule_id).gaps))
        return self._intended[schedule_id]

    def level(self, rule: EscalationRule) -> Coverage:
        """Return a level's coverage. A level without targets is a gap."""
        parts = [self._target(target) for target in rule.targets]
        return self._any_of(parts)

    def policy(self, levels: Sequence[Coverage]) -> Coverage:
        """Return a policy's coverage from its levels'. A policy without levels is a gap."""
        return self._any_of(levels)

    def intended_gaps(self, policy: Policy) -> list[Span]:
        """Return when every schedule of the policy has an intended hole; nothing if it has none."""
        targets = [target for rule in policy.rules for target in rule.targets]
        if not targets or any(target.kind is TargetKind.USER for target in targets):
            return []
        holes: list[Span] = [self.window]
        for schedule_id in sorted({target.id for target in targets}):
            holes = intersect(holes, self.intended_holes(schedule_id))
        return holes

    def _target(self, target: Target) -> Coverage:
        if target.kind is TargetKind.SCHEDULE:
            return self.schedule(target.id)
        if self.is_gone(target.id):
            return Coverage(self.window, (), (self.window,))
        return Coverage(self.window, (self.window,), ())

    def _any_of(self, parts: Iterable[Coverage]) -> Coverage:
        covered: list[Span] = []
        gaps: list[Span] = [self.window]
        for part in parts:
            covered += part.covered
            gaps = intersect(gaps, part.gaps)
        known = union(covered)
        unknown = subtract([self.window], [*known, *gaps])
        return Coverage(self.window, tuple(known), tuple(gaps), tuple(unknown))

    def _coverage(self, covered: list[Span]) -> Coverage:
        gaps = subtract([self.known], covered)
        return Coverage(
            self.window, tuple(covered), tuple(gaps), tuple(subtract([self.window], [self.known]))
        )


def _common(left: Span, right: Span) -> Span:
    """Return what both have in common; an empty span if that is nothing."""
    start = max(left.start, right.start)
    return Span(start, max(start, min(left.end, right.end)))


def _is_complete(index: OnCallIndex, name: SectionName) -> bool:
    return any(
        section.name is name and section.state is SectionState.COMPLETE for section in index.snapshot.sections
    )
