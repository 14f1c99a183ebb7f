"""Shifts as intervals of time, and functions that cut, merge and overlay them."""

from bisect import bisect_right
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
    """Return the shifts without the times of all `holes`, in the order of the shifts."""
    taken: list[tuple[datetime, datetime]] = []
    for start, end in sorted((hole.start, hole.end) for hole in holes):
        if taken and start <= taken[-1][1]:
            taken[-1] = taken[-1][0], max(taken[-1][1], end)
        else:
            taken.append((start, end))
    left: list[Shift] = []
    for shift in shifts:
        begin, place = shift.start, bisect_right(taken, shift.start, key=lambda span: span[1])
        while place < len(taken) and taken[place][0] < shift.end:
            start, end = taken[place]
            if begin < start:
                left.append(replace(shift, start=begin, end=start))
            begin, place = end, place + 1
        if begin < shift.end or begin == shift.start:
            left.append(shift if begin == shift.start else replace(shift, start=begin))
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
