"""Change who takes turns without moving anybody's present turn. Pure.

A turn's number modulo the number of people says whose turn it is. So if a person leaves or joins, the order
is turned until the present number gives the same person again, or whoever would have been next.
"""

from collections.abc import Sequence
from typing import TypeVar

Member = TypeVar("Member")


def without_member(order: Sequence[Member], leaver: Member, turn: int) -> tuple[Member, ...]:
    """Return the order without the leaver; turn number `turn` goes to its present owner, or to the next."""
    return _starting_at([member for member in _from(order, turn) if member != leaver], turn)


def with_member(
    order: Sequence[Member], joiner: Member, turn: int, after: Member | None = None
) -> tuple[Member, ...]:
    """Return the order with the joiner after a member, or last: whoever has turn number `turn` keeps it."""
    following = _from(order, turn)
    place = following.index(after) + 1 if after in following else len(following)
    return _starting_at([*following[:place], joiner, *following[place:]], turn)


def _from(order: Sequence[Member], turn: int) -> list[Member]:
    start = turn % len(order) if order else 0
    return [*order[start:], *order[:start]]


def _starting_at(following: list[Member], turn: int) -> tuple[Member, ...]:
    """Return the order in which number `turn` is the first of `following`."""
    if not following:
        return ()
    start = -turn % len(following)
    return tuple([*following[start:], *following[:start]])
