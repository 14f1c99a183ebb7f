"""Shifts as intervals of time, and functions that cut, merge and overlay them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Shift:
    """A user is on call in [start, end), in UTC; `user_id` None is an empty slot.

    `source` is the kind and the id of the object that made the shift.
    """

    start: datetime
    end: datetime
    user_id: str | None
    source: tuple[str, str] = ("", "")


def cut(shifts: Iterable[Shift], since: datetime, until: datetime) -> list[Shift]:
    """Return the shifts cut to [since, until)."""
    return [
        replace(shift, start=max(shift.start, since), end=min(shift.end, until))
        for shift in shifts
        if shift.start < until and shift.end > since
    ]


def without(shifts: Iterable[Shift], holes: Sequence[Shift]) -> list[Shift]:
    """Return the shifts without the times of all `holes`."""
    left = list(shifts)
    for hole in holes:
        parts: list[Shift] = []
        for shift in left:
            if shift.end <= hole.start or shift.start >= hole.end:
                parts.append(shift)
                continue
            if shift.start < hole.start:
                parts.append(replace(shift, end=hole.start))
            if shift.end > hole.end:
                parts.append(replace(shift, start=hole.end))
        left = parts
    return left


def overlaid(below: Iterable[Shift], above: Sequence[Shift]) -> list[Shift]:
    """Overlay `below` with `above`, which wins."""
    return sorted([*without(below, above), *above], key=lambda shift: shift.start)


def joined(shifts: Iterable[Shift]) -> list[Shift]:
    """Join adjacent shifts of the same user and source."""
    result: list[Shift] = []
    for shift in shifts:
        last = result[-1] if result else None
        if last and (last.end, last.user_id, last.source) == (shift.start, shift.user_id, shift.source):
            result[-1] = replace(last, end=shift.end)
        else:
            result.append(shift)
    return result


def coverage_percentage(shifts: Iterable[Shift], since: datetime, until: datetime) -> float:
    """Return the share of the time with somebody on call, in percent with one decimal."""
    covered, reached = timedelta(0), since
    manned = (shift for shift in shifts if shift.user_id is not None)
    for shift in sorted(cut(manned, since, until), key=lambda shift: shift.start):
        if shift.end > reached:
            covered += shift.end - max(shift.start, reached)
            reached = shift.end
    return round(100 * (covered / (until - since)), 1) if until > since else 0.0


def gaps(shifts: Iterable[Shift], since: datetime, until: datetime) -> list[Shift]:
    """Return the times without any shift, as empty slots."""
    return without([Shift(since, until, None)], [shift for shift in shifts if shift.start < shift.end])
