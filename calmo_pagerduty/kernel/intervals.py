"""Half-open intervals of time in epoch seconds (UTC), and their unions, intersections and differences."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """The time from `start` to `end` (exclusive), in epoch seconds (UTC)."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.start


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the disjoint spans that cover the same time, earliest first. Empty spans are dropped."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1].end:
            if end > merged[-1].end:
                merged[-1] = Span(merged[-1].start, end)
        else:
            merged.append(Span(start, end))
    return merged


def intersect(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Return the time that both cover, as disjoint spans, earliest first."""
    lefts, rights = union(left), union(right)
    common: list[Span] = []
    i = j = 0
    while i < len(lefts) and j < len(rights):
        start, end = max(lefts[i].start, rights[j].start), min(lefts[i].end, rights[j].end)
        if start < end:
            common.append(Span(start, end))
        if lefts[i].end <= rights[j].end:
            i += 1
        else:
            j += 1
    return common


def subtract(from_: Iterable[Span], spans: Iterable[Span]) -> list[Span]:
    """Return the time of `from_` that `spans` don't cover, as disjoint spans, earliest first."""
    rest: list[Span] = []
    holes, first = union(spans), 0
    for start, end in union(from_):
        while first < len(holes) and holes[first].end <= start:
            first += 1
        position, index = start, first
        while index < len(holes) and holes[index].start < end:
            if holes[index].start > position:
                rest.append(Span(position, holes[index].start))
            position = max(position, holes[index].end)
            index += 1
        if position < end:
            rest.append(Span(position, end))
    return rest


def clip(spans: Iterable[Span], within: Span) -> list[Span]:
    """Return the parts of each span inside `within`. Overlaps stay; empty parts are dropped."""
    return [
        Span(max(start, within.start), min(end, within.end))
        for start, end in spans
        if start < within.end and end > within.start and start < end
    ]


def total_seconds(spans: Sequence[Span]) -> int:
    """Return the summed length of spans; of disjoint spans that is the time they cover."""
    return sum(end - start for start, end in spans)
