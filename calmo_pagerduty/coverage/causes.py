"""Why a schedule leaves a gap, and what to do about it. Pure.

The cause follows from evidence: which layers, rotations and overrides were in force when the gap began, and
whether the same local time one week earlier, before something ended, was covered.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from calmo_pagerduty.coverage.model import Cause, GapCause, ScheduleGap
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span, subtract
from calmo_pagerduty.kernel.local_bands import utc_offset
from calmo_pagerduty.kernel.local_hours import WEEK
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import Schedule, ScheduleKind

#: What to do, by cause. A sentence after the schedule's name.
REMEDIES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.NO_LAYERS: "it has no layer and no rotation: add one with the people who should be on call",
        Cause.NO_USERS: "its layers or rotations have no people: add people",
        Cause.USER_DELETED: "the person on call was deleted from PagerDuty: put somebody else in the turn",
        Cause.RESTRICTION: "its layers are restricted to other hours: widen the restriction, or add a layer"
        " for these hours",
        Cause.RECURRENCE: "its rotations have no shift at these hours: add a rotation or a custom shift",
        Cause.LAYER_ENDED: "its layer ends: extend the layer's end, or add a layer that goes on",
        Cause.ROTATION_ENDED: "its rotation ends: add an event that goes on after it",
        Cause.OVERRIDE_ENDED: "only an override covered it before: add another override, or a layer",
        Cause.NOT_STARTED: "its layers or rotations begin later: start them earlier, or add an override",
        Cause.INTENDED: "nobody is meant to be on call then (an unassigned shift)",
        Cause.UNEXPLAINED: "its layers and rotations don't explain it: look at the schedule in PagerDuty",
    }
)


class _Part(NamedTuple):
    """A layer, or an event of a rotation: when it is in force, and for whom."""

    id: str
    start: int
    end: int | None
    user_ids: tuple[str, ...]


def schedule_gaps(timelines: Timelines, schedule: Schedule) -> tuple[ScheduleGap, ...]:
    """Return a schedule's gaps with their causes, without the intended ones; empty if it is unknown."""
    gaps = subtract(timelines.schedule(schedule.id).gaps, timelines.intended_holes(schedule.id))
    return tuple(ScheduleGap(gap, cause_of(timelines, schedule, gap)) for gap in gaps)


def cause_of(timelines: Timelines, schedule: Schedule, gap: Span) -> GapCause:
    """Return why nobody is on call by the schedule when the gap begins."""
    if _begins_within(gap, timelines.intended_holes(schedule.id)):
        return GapCause(schedule.id, Cause.INTENDED)
    parts = _parts(schedule)
    staffed = [part for part in parts if part.user_ids]
    present = [part for part in staffed if not all(map(timelines.is_gone, part.user_ids))]
    if (staffed and not present) or any(
        entry.start <= gap.start < entry.end and timelines.is_gone(entry.user_id)
        for entry in schedule.entries or ()
    ):
        return GapCause(schedule.id, Cause.USER_DELETED)
    override = _override_ended_at(schedule, gap.start)
    if not present:
        return override or GapCause(schedule.id, Cause.NO_USERS if parts else Cause.NO_LAYERS)
    return _cause_with_people(timelines, schedule, gap, present, override)


def _cause_with_people(
    timelines: Timelines, schedule: Schedule, gap: Span, parts: list[_Part], override: GapCause | None
) -> GapCause:
    """Return the cause if there are people in layers or rotations, though nobody is on call."""
    ended = [part for part in parts if part.end is not None and part.end <= gap.start]
    if not any(part.start <= gap.start and part not in ended for part in parts):
        return override or _last_ended(schedule, ended) or GapCause(schedule.id, Cause.NOT_STARTED)
    for part in sorted(ended, key=lambda part: (-(part.end or 0), part.id)):
        end = part.end or 0
        if end > timelines.window.start and _was_covered_before(timelines, schedule, gap.start, end):
            return _ended(schedule, part)
    return GapCause(schedule.id, _cause_of_live(schedule))


def remedy(timelines: Timelines, causes: Iterable[GapCause]) -> str:
    """Return what to do about a gap, a clause per schedule."""
    clauses = []
    for why in causes:
        schedule = timelines.index.schedules.get(why.schedule_id)
        name = why.schedule_id if schedule is None else schedule.name
        clauses.append(f"Schedule {name}: {REMEDIES[why.cause]}.")
    return " ".join(clauses)


def _parts(schedule: Schedule) -> list[_Part]:
    layers = [_Part(layer.id, layer.start, layer.end, layer.user_ids) for layer in schedule.layers]
    events = [
        _Part(
            event.id,
            event.effective_since,
            event.effective_until,
            tuple(member for member in event.member_ids if member is not None),
        )
        for rotation in schedule.rotations
        if not rotation.is_shadow
        for event in rotation.events
    ]
    return [*layers, *events]


def _override_ended_at(schedule: Schedule, at: int) -> GapCause | None:
    """Return that an override or a custom shift ended at that moment; None if none did."""
    ended = [(part.id, part.end) for part in schedule.overrides if part.user_id is not None]
    ended += [(part.id, part.end) for part in schedule.custom_shifts if part.user_id is not None]
    ids = [id for id, end in ended if end == at]
    return GapCause(schedule.id, Cause.OVERRIDE_ENDED, at, ids[0]) if ids else None


def _last_ended(schedule: Schedule, ended: list[_Part]) -> GapCause | None:
    if not ended:
        return None
    return _ended(schedule, max(ended, key=lambda part: (part.end or 0, part.id)))


def _ended(schedule: Schedule, part: _Part) -> GapCause:
    cause = Cause.LAYER_ENDED if schedule.kind is ScheduleKind.LAYERS else Cause.ROTATION_ENDED
    return GapCause(schedule.id, cause, part.end, part.id)


def _cause_of_live(schedule: Schedule) -> Cause:
    if schedule.kind is ScheduleKind.SHIFTS:
        return Cause.RECURRENCE
    return Cause.RESTRICTION if any(layer.restrictions for layer in schedule.layers) else Cause.UNEXPLAINED


def _was_covered_before(timelines: Timelines, schedule: Schedule, at: int, end: int) -> bool:
    """Whether the same local time in the last week before `end` was covered."""
    weeks = -(-(at - end + 1) // WEEK)
    earlier = at - weeks * WEEK
    zone = time_zone(schedule.time_zone)
    if zone is not None:
        earlier += utc_offset(at, zone) - utc_offset(earlier, zone)
    return any(
        entry.start <= earlier < entry.end and not timelines.is_gone(entry.user_id)
        for entry in schedule.entries or ()
    )


def _begins_within(gap: Span, spans: Iterable[Span]) -> bool:
    return any(span.start <= gap.start < span.end for span in spans)
