"""Render a schedule ourselves: who is on call when, by its layers or rotations, as PagerDuty would. Pure.

All times are epoch seconds (UTC), intervals are half-open. An `Interpretation`
decides what PagerDuty's documentation leaves open; `calmo_pagerduty/scheduling/proof.py` finds the one that
gives PagerDuty's own entries.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span, intersect, subtract, union
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.scheduling.occurrences import occurrences, to_epoch, to_local
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    CustomShift,
    Entry,
    IntendedHole,
    Layer,
    Override,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
)

_DAY = 86_400
#: Turns that are followed per layer and window at most: a year of turns of 5 minutes.
_MAX_TURNS = 110_000


class ZoneUnknown(ExplainedError):
    """The schedule's time zone is none that we know, so its local times can't be followed."""


class LayerTooFine(ExplainedError):
    """A layer's turns are so short that the window has too many of them."""


class TurnClock(StrEnum):
    """How a layer's turns follow each other when the clock changes."""

    #: Turns of whole days hand over at the same local time, others after the same time has passed.
    WHOLE_DAYS_LOCAL = "whole_days_local"
    LOCAL = "local"
    ELAPSED = "elapsed"


class CountFrom(StrEnum):
    """From which occurrence the turns of a rotation's event are counted."""

    FIRST_SHIFT = "first_shift"
    EFFECTIVE_SINCE = "effective_since"


class ShiftLength(StrEnum):
    """How long shifts are whose first one spans a clock change: as its local times, or as its seconds say."""

    LOCAL = "local"
    ELAPSED = "elapsed"


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What the documentation leaves open, decided."""

    turn_clock: TurnClock = TurnClock.WHOLE_DAYS_LOCAL
    count_from: CountFrom = CountFrom.FIRST_SHIFT
    shift_length: ShiftLength = ShiftLength.LOCAL


DEFAULT_INTERPRETATION = Interpretation()
#: The interpretations of each kind, the likeliest first.
INTERPRETATIONS: dict[ScheduleKind, tuple[Interpretation, ...]] = {
    ScheduleKind.LAYERS: tuple(Interpretation(turn_clock=clock) for clock in TurnClock),
    ScheduleKind.SHIFTS: tuple(
        Interpretation(count_from=count, shift_length=length) for count in CountFrom for length in ShiftLength
    ),
}


class _Piece(NamedTuple):
    """An entry, or with no user an intended hole."""

    start: int
    end: int
    user_id: str | None
    source: str


def render(
    schedule: Schedule,
    window: Span,
    interpretation: Interpretation = DEFAULT_INTERPRETATION,
    zone: tzinfo | None = None,
) -> tuple[Entry, ...]:
    """Return who is on call in the window, cut to it, earliest first. Holes have no entry.

    `zone` replaces the schedule's own; it is for scenarios in which the clock does not change.
    Raises ZoneUnknown, LayerTooFine, RuleNotUnderstood.
    Source: PagerDuty's documentation of schedule layers and of shift-based schedules.
    """
    return tuple(
        Entry(piece.start, piece.end, piece.user_id, piece.source)
        for piece in _joined(_final(schedule, window, interpretation, zone))
        if piece.user_id is not None
    )


def render_holes(
    schedule: Schedule, window: Span, interpretation: Interpretation = DEFAULT_INTERPRETATION
) -> tuple[IntendedHole, ...]:
    """Return the shifts that are nobody's on purpose, each by itself, cut to the window. Raises as render."""
    holes = {
        IntendedHole(piece.start, piece.end, piece.source)
        for piece in _final(schedule, window, interpretation, None)
        if piece.user_id is None
    }
    return tuple(sorted(holes, key=lambda hole: (hole.start, hole.end, hole.source)))


def _final(
    schedule: Schedule, window: Span, interpretation: Interpretation, zone: tzinfo | None
) -> list[_Piece]:
    local = zone or time_zone(schedule.time_zone)
    if local is None:
        raise ZoneUnknown(f"the time zone {schedule.time_zone[:60]!r} is not known")
    if schedule.kind is ScheduleKind.LAYERS:
        return _final_of_layers(schedule, window, interpretation, local)
    return _final_of_rotations(schedule, window, interpretation, zone)


def render_layer(
    layer: Layer, window: Span, zone: tzinfo, interpretation: Interpretation = DEFAULT_INTERPRETATION
) -> list[Span]:
    """Return the turns of a layer within the window, ignoring who has them. It is for swaps by turns."""
    return [Span(piece.start, piece.end) for piece in _layer_pieces(layer, window, interpretation, zone)]


def _final_of_layers(
    schedule: Schedule, window: Span, interpretation: Interpretation, zone: tzinfo
) -> list[_Piece]:
    tops: list[_Piece] = []
    # A later override wins over an earlier one.
    for override in reversed(schedule.overrides):
        if (piece := _cut(_override_piece(override), window)) is not None:
            tops = _over(tops, [piece])
    for layer in schedule.layers:
        tops = _over(tops, _layer_pieces(layer, window, interpretation, zone))
    return [piece._replace(source="final_schedule") for piece in tops]


def _override_piece(override: Override) -> _Piece:
    return _Piece(override.start, override.end, override.user_id, f"override:{override.id}")


def _over(upper: Sequence[_Piece], lower: Iterable[_Piece]) -> list[_Piece]:
    """Return both; of the lower ones only the time that the upper ones leave."""
    taken = union(Span(piece.start, piece.end) for piece in upper)
    rest = [
        piece._replace(start=left.start, end=left.end)
        for piece in lower
        for left in subtract([Span(piece.start, piece.end)], _near(taken, Span(piece.start, piece.end)))
    ]
    return [*upper, *rest]


def _layer_pieces(layer: Layer, window: Span, interpretation: Interpretation, zone: tzinfo) -> list[_Piece]:
    active = Span(max(window.start, layer.start), min(window.end, layer.end or window.end))
    if active.start >= active.end or not layer.user_ids or layer.turn_seconds < 1:
        return []
    open_times = _open_times(layer, active, zone)
    pieces = []
    for number, turn in _turns(layer, active, interpretation, zone):
        user_id = layer.user_ids[number % len(layer.user_ids)]
        pieces += [
            _Piece(part.start, part.end, user_id, f"layer:{layer.id}")
            for part in intersect([turn], _near(open_times, turn))
        ]
    return pieces


def _near(spans: list[Span], around: Span) -> list[Span]:
    """Return those of the disjoint, sorted spans that overlap `around`."""
    first = bisect_right(spans, around.start, key=lambda span: span.end)
    return spans[first : bisect_left(spans, around.end, key=lambda span: span.start)]


def _turns(
    layer: Layer, active: Span, interpretation: Interpretation, zone: tzinfo
) -> list[tuple[int, Span]]:
    if active.seconds // layer.turn_seconds > _MAX_TURNS:
        raise LayerTooFine(f"the layer {layer.name[:60]!r} has turns of {layer.turn_seconds} s: too many")
    is_local = interpretation.turn_clock is TurnClock.LOCAL or (
        interpretation.turn_clock is TurnClock.WHOLE_DAYS_LOCAL and layer.turn_seconds % _DAY == 0
    )
    turn = timedelta(seconds=layer.turn_seconds)
    origin = to_local(layer.rotation_virtual_start, zone)

    def begin(number: int) -> int:
        if is_local:
            return to_epoch(origin + number * turn, zone)
        return layer.rotation_virtual_start + number * layer.turn_seconds

    passed = to_local(active.start, zone) - origin if is_local else None
    # A turn earlier: a clock change may have moved the start of this turn.
    number = (
        passed // turn
        if passed is not None
        else (active.start - layer.rotation_virtual_start) // layer.turn_seconds
    ) - 1
    turns = []
    while (start := begin(number)) < active.end:
        span = Span(max(start, active.start), min(begin(number + 1), active.end))
        if span.start < span.end:
            turns.append((number, span))
        number += 1
    return turns


def _open_times(layer: Layer, active: Span, zone: tzinfo) -> list[Span]:
    """Return when the layer's restrictions let it be active. Their times and lengths are local."""
    if not layer.restrictions:
        return [active]
    longest = max(restriction.duration for restriction in layer.restrictions)
    day = to_local(active.start - longest - _DAY, zone).replace(hour=0, minute=0, second=0)
    last = to_local(active.end, zone)
    spans = []
    while day <= last:
        for restriction in layer.restrictions:
            if restriction.start_day_of_week in (None, day.isoweekday()):
                opens = day + timedelta(seconds=restriction.start_time_of_day)
                closes = opens + timedelta(seconds=restriction.duration)
                spans.append(Span(to_epoch(opens, zone), to_epoch(closes, zone)))
        day += timedelta(days=1)
    return intersect(union(spans), [active])


def _final_of_rotations(
    schedule: Schedule, window: Span, interpretation: Interpretation, zone: tzinfo | None
) -> list[_Piece]:
    pieces = [
        piece
        for rotation in schedule.rotations
        for event in rotation.events
        for piece in _event_pieces(rotation, event, window, interpretation, zone)
    ]
    pieces += [
        piece for shift in schedule.custom_shifts if (piece := _cut(_custom_piece(shift), window)) is not None
    ]
    for override in schedule.overrides:
        pieces = _overridden(pieces, override)
    return pieces


def _custom_piece(shift: CustomShift) -> _Piece:
    return _Piece(shift.start, shift.end, shift.user_id, f"custom_shift:{shift.id}")


def _event_pieces(
    rotation: Rotation,
    event: RotationEvent,
    window: Span,
    interpretation: Interpretation,
    fixed_zone: tzinfo | None,
) -> list[_Piece]:
    active = Span(
        max(window.start, event.effective_since),
        min(window.end, window.end if event.effective_until is None else event.effective_until),
    )
    if active.start >= active.end or not event.member_ids:
        return []
    zone = fixed_zone or time_zone(event.time_zone)
    if zone is None:
        raise ZoneUnknown(f"the time zone {event.time_zone[:60]!r} is not known")
    first = to_local(event.first_start, zone)
    length = to_local(event.first_end, zone) - first
    if interpretation.shift_length is ShiftLength.ELAPSED:
        length = timedelta(seconds=event.first_end - event.first_start)
    shifts = [
        (start, _end_of(start, length, zone))
        for start in occurrences(event.recurrence, first, zone, active.end)
    ]
    if interpretation.count_from is CountFrom.EFFECTIVE_SINCE:
        shifts = [shift for shift in shifts if shift[1] > event.effective_since]
    pieces = []
    for number, (start, end) in enumerate(shifts):
        for member in _members(event, number):
            piece = _Piece(start, end, member, f"schedule_rotation:{rotation.id}")
            if (inside := _cut(piece, active)) is not None:
                pieces.append(inside)
    return pieces


def _end_of(start: int, length: timedelta, zone: tzinfo) -> int:
    local: datetime = to_local(start, zone)
    return to_epoch(local + length, zone)


def _members(event: RotationEvent, number: int) -> tuple[str | None, ...]:
    if event.strategy is AssignmentStrategy.EVERY_MEMBER:
        return event.member_ids
    return (event.member_ids[number // max(1, event.shifts_per_member) % len(event.member_ids)],)


def _overridden(pieces: Iterable[_Piece], override: Override) -> list[_Piece]:
    """Replace one member in one rotation or custom shift, for the time of the override."""
    kind = "schedule_rotation" if override.rotation_id else "custom_shift"
    source = f"{kind}:{override.rotation_id or override.custom_shift_id}"
    within = Span(override.start, override.end)
    result = []
    for piece in pieces:
        inside = _cut(piece, within)
        if piece.source != source or piece.user_id != override.overridden_user_id or inside is None:
            result.append(piece)
            continue
        result.append(inside._replace(user_id=override.user_id, source=f"{kind}_override:{override.id}"))
        result += [
            piece._replace(start=left.start, end=left.end)
            for left in subtract([Span(piece.start, piece.end)], [within])
        ]
    return result


def _cut(piece: _Piece, window: Span) -> _Piece | None:
    start, end = max(piece.start, window.start), min(piece.end, window.end)
    return piece._replace(start=start, end=end) if start < end else None


def _joined(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Join what adjoins of the same person and source, earliest first."""
    joined: list[_Piece] = []
    last: dict[tuple[str | None, str], int] = {}
    for piece in sorted(
        pieces, key=lambda piece: (piece.start, piece.end, piece.source, piece.user_id or "")
    ):
        key = (piece.user_id, piece.source)
        at = last.get(key)
        if at is not None and joined[at].end == piece.start:
            joined[at] = joined[at]._replace(end=piece.end)
        else:
            last[key] = len(joined)
            joined.append(piece)
    return joined
