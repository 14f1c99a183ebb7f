"""Compare a draft of changes with the schedule as it is: does it still fit, and what is left to do? Pure.

A draft is bound to a version of the schedule (`schedule_versions.py`). An attempt that was cut off may have
applied some of its changes. So those in force are undone in thought before versions are compared.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from calmo_pagerduty.kernel.intervals import Span, clip, subtract, union
from calmo_pagerduty.pagerduty.schedule_versions import draft_version

#: (start, end, user id), in epoch seconds.
OnCall = tuple[int, int, str]


class DraftChange(NamedTuple):
    """From `start` to `end` a person is on call instead of another, or where nobody was."""

    start: int
    end: int
    user_id: str
    replaced_id: str | None

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


class DraftState(NamedTuple):
    """`is_current`: the schedule is the draft's, apart from the changes in `done`."""

    is_current: bool
    done: tuple[DraftChange, ...]
    missing: tuple[DraftChange, ...]


def draft_state(
    structure: str,
    entries: Sequence[OnCall],
    window: Span,
    version: str,
    changes: Sequence[DraftChange],
) -> DraftState:
    """Return whether a draft still fits, and which of its changes are in force already."""
    done = tuple(change for change in changes if is_in_force(entries, change))
    before = list(entries)
    for change in done:
        before = _undo(before, change)
    inside = _clipped(before, window)
    return DraftState(
        draft_version(structure, inside) == version,
        done,
        tuple(change for change in changes if change not in done),
    )


def is_in_force(entries: Iterable[OnCall], change: DraftChange) -> bool:
    """Tell whether the change's person is on call in all of its time, and the replaced one in none."""
    at_work = list(entries)
    mine = clip((Span(start, end) for start, end, user in at_work if user == change.user_id), change.span)
    theirs = clip(
        (Span(start, end) for start, end, user in at_work if user == change.replaced_id), change.span
    )
    return not theirs and union(mine) == [change.span]


def _undo(entries: Iterable[OnCall], change: DraftChange) -> list[OnCall]:
    result: list[OnCall] = []
    for start, end, user_id in entries:
        if user_id != change.user_id:
            result.append((start, end, user_id))
            continue
        result += [(left.start, left.end, user_id) for left in subtract([Span(start, end)], [change.span])]
    if change.replaced_id is not None:
        result.append((change.start, change.end, change.replaced_id))
    return result


def _clipped(entries: Iterable[OnCall], window: Span) -> list[OnCall]:
    return [
        (max(start, window.start), min(end, window.end), user_id)
        for start, end, user_id in entries
        if start < window.end and end > window.start
    ]
