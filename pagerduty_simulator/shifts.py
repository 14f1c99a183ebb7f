"""Shifts as intervals of time, and how one set of them replaces or trims another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Shift:
    """From `start` to before `end` (UTC) one person is on call; None is a slot without anybody.

    `source` says what made it: the kind of source, then its id.
    """

    start: datetime
    end: datetime
    user_id: str | None
    source: tuple[str, str] = ("", "")


def cut(shifts: Iterable[Shift], since: datetime, until: datetime) -> list[Shift]:
    """Keep what lies inside `since` to `until`, cut at both."""
    return [
        replace(shift, start=max(shift.start, since), end=min(shift.end, until))
        for shift in shifts
        if shift.start < until and shift.end > since
    ]


def without(shifts: Iterable[Shift], holes: Sequence[Shift]) -> list[Shift]:
    """Take the time of all `holes` out of the shifts."""
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
    """Let `above` win wherever it has anybody."""
    return sorted([*without(below, above), *above], key=lambda shift: shift.start)


def joined(shifts: Iterable[Shift]) -> list[Shift]:
    """Join shifts of one person from one source that follow each other without a gap."""
    result: list[Shift] = []
    for shift in shifts:
        last = result[-1] if result else None
        if last and (last.end, last.user_id, last.source) == (shift.start, shift.user_id, shift.source):
            result[-1] = replace(last, end=shift.end)
        else:
            result.append(shift)
    return result


def coverage_percentage(shifts: Iterable[Shift], since: datetime, until: datetime) -> float:
    """Return the share of the time in which anybody is on call, in percent with one decimal."""
    covered, reached = timedelta(0), since
    manned = (shift for shift in shifts if shift.user_id is not None)
    for shift in sorted(cut(manned, since, until), key=lambda shift: shift.start):
        if shift.end > reached:
            covered += shift.end - max(shift.start, reached)
            reached = shift.end
    return round(100 * (covered / (until - since)), 1) if until > since else 0.0


def gaps(shifts: Iterable[Shift], since: datetime, until: datetime) -> list[Shift]:
    """Return the times of which no shift speaks, as slots without anybody."""
    return without([Shift(since, until, None)], [shift for shift in shifts if shift.start < shift.end])
