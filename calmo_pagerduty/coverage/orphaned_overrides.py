"""Find overrides that no longer do what they were made for. Pure.

A person was deleted; a person has left the schedule's people and its team; or the shift that it replaces
has moved away (v3: an override of a rotation or custom shift that PagerDuty's rendering no longer uses).
"""

from collections.abc import Iterator

from calmo_pagerduty.coverage.model import OrphanedOverride, OrphanKind
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import Override, Schedule, ScheduleKind


def find_orphans(timelines: Timelines, schedule: Schedule) -> tuple[OrphanedOverride, ...]:
    """Return a schedule's orphaned overrides that end after the window's start, earliest first."""
    return tuple(
        OrphanedOverride(schedule.id, override.id, kind, Span(override.start, override.end), override.user_id)
        for override in sorted(schedule.overrides, key=lambda override: (override.start, override.id))
        if override.end > timelines.window.start
        for kind in _kinds(timelines, schedule, override)
    )


def _kinds(timelines: Timelines, schedule: Schedule, override: Override) -> Iterator[OrphanKind]:
    """Yield the first reason that holds, if any does."""
    if override.user_id is not None and timelines.is_gone(override.user_id):
        yield OrphanKind.USER_DELETED
    elif _has_moved(timelines, schedule, override):
        yield OrphanKind.SHIFT_MOVED
    elif override.user_id is not None and _has_left(timelines, schedule, override.user_id):
        yield OrphanKind.LEFT_POOL


def _has_moved(timelines: Timelines, schedule: Schedule, override: Override) -> bool:
    """Whether the rendering shows nothing of an override of a shift, though it could."""
    known = timelines.index.rendered
    if schedule.kind is not ScheduleKind.SHIFTS or schedule.entries is None:
        return False
    if override.start < known.start or override.end > known.end or override.user_id is None:
        return False
    return not any(
        entry.user_id == override.user_id and entry.start < override.end and entry.end > override.start
        for entry in schedule.entries
    )


def _has_left(timelines: Timelines, schedule: Schedule, user_id: str) -> bool:
    """Whether the person is in nothing that goes on, and was in an earlier layer or is not in the team.

    Somebody else of the team may well help out by an override.
    """
    now = timelines.window.start
    members = [(layer.end, layer.user_ids) for layer in schedule.layers]
    members += [
        (event.effective_until, tuple(member for member in event.member_ids if member is not None))
        for rotation in schedule.rotations
        for event in rotation.events
    ]
    if any((end is None or end > now) and user_id in ids for end, ids in members):
        return False
    user = timelines.index.users.get(user_id)
    is_outside = bool(user and schedule.team_ids) and not set(user.team_ids if user else ()).intersection(
        schedule.team_ids
    )
    return is_outside or any(user_id in ids for _, ids in members)
