"""How high each service stands in a picture of dependencies, circles or not. The failing one is at 0."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Edge = tuple[str, str]

#: How many levels above or below the failing service; what lies further is in the last of them.
MOST_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Sides:
    """What stands below the failing service and above it, each with its distance in hops; of those above,
    which are business services.
    """

    centre: str
    below: Mapping[str, int]
    above: Mapping[str, int]
    business: frozenset[str]

    @property
    def heights(self) -> dict[str, int]:
        """The distance of each, below as a negative number."""
        return {self.centre: 0, **{node: -hops for node, hops in self.below.items()}, **self.above}


@dataclass(frozen=True, slots=True)
class Forward:
    """Edges without a circle, from what supports to what depends; `order` has supporting nodes first."""

    edges: frozenset[Edge]
    order: tuple[str, ...]


def without_circles(sides: Sides, edges: Iterable[Edge]) -> Forward:
    """Return as many of the edges as make no circle: those that lead away from the failing service first."""
    heights = sides.heights
    place = {node: number for number, node in enumerate(sorted(heights))}
    reaches = {node: 1 << number for node, number in place.items()}
    kept = []
    for low, high in sorted(edges, key=lambda edge: (heights[edge[0]] - heights[edge[1]], edge)):
        if reaches[high] >> place[low] & 1:
            continue
        kept.append((low, high))
        for node, reached in reaches.items():
            if reached >> place[low] & 1:
                reaches[node] = reached | reaches[high]
    # Whoever reaches another reaches more than that one does.
    order = sorted(heights, key=lambda node: (-reaches[node].bit_count(), node))
    return Forward(frozenset(kept), tuple(order))


def levels(sides: Sides, forward: Forward) -> dict[str, int]:
    """Return how high each stands: the longest way from the failing service. Business is above all else."""
    ahead: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    for low, high in forward.edges:
        ahead.setdefault(low, []).append(high)
        behind.setdefault(high, []).append(low)
    level = {sides.centre: 0}
    for node in reversed(forward.order):
        if node in sides.below:
            ways = [level[one] - 1 for one in ahead.get(node, ()) if one in level]
            level[node] = max(min(ways, default=-sides.below[node]), -MOST_LEVELS)
    for node in forward.order:
        if node in sides.above and node not in sides.business:
            ways = [level[one] + 1 for one in behind.get(node, ()) if level.get(one, -1) >= 0]
            level[node] = min(max(ways, default=sides.above[node]), MOST_LEVELS)
    top = max(level.values())
    for node in forward.order:
        if node in sides.business:
            ways = [level[one] + 1 for one in behind.get(node, ()) if one in sides.business]
            level[node] = min(max(ways, default=top + 1), top + 2)
    return level
