"""Which services a picture of an incident's dependencies shows, and in which layer each stands.

Business services on top, the failing service in the middle, what it depends on below. At most so many
boxes as one can read: of the rest, a box in each layer tells how many there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import Assessment, DependencyNode, DependencyView

#: A service id that supports, and one that depends on it.
Edge = tuple[str, str]

#: More boxes than these, nobody reads.
MAX_NODES = 40
MAX_LAYER_NODES = 7
#: How many levels above or below the failing service; what lies further away is in the last of them.
MAX_LEVELS = 5


class Role(StrEnum):
    FAILING = "failing"
    ORIGIN = "origin"
    BUSINESS = "business"
    SERVICE = "service"
    #: Stands for those of its layer that aren't shown.
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the picture: a service, or the rest of its layer."""

    id: str
    name: str
    role: Role
    has_open_incident: bool = False
    is_on_path: bool = False
    hops: int = 0

    @property
    def importance(self) -> tuple[bool, bool, bool, int, str]:
        """A sort key: the most important first."""
        return (
            self.role is not Role.FAILING,
            not self.is_on_path,
            not self.has_open_incident,
            self.hops,
            self.id,
        )


@dataclass(frozen=True, slots=True)
class LayeredGraph:
    """`layers` from the bottom. `edges` go upward, from what supports to what depends on it; those in
    `returning` go the other way: they close a cycle.
    """

    nodes: Mapping[str, Box]
    layers: tuple[tuple[str, ...], ...]
    edges: tuple[Edge, ...]
    returning: tuple[Edge, ...]
    path: frozenset[Edge]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Sides:
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
class _Acyclic:
    """Edges without a cycle, from what supports to what depends; `order` has supporting nodes first."""

    edges: frozenset[Edge]
    order: tuple[str, ...]


def build_layered_graph(assessment: Assessment) -> LayeredGraph:
    """Return what the picture shows. Without a known service the incident itself stands in the middle."""
    inputs = assessment.surrounding
    incident = EntityRef(id=assessment.incident.incident.id, kind="incident", name="This incident")
    centre = assessment.incident.service or incident
    reached = _nodes_by_id(inputs, centre)
    sides = _Sides(
        centre.id,
        below={node: reach.hops for node, (side, reach) in reached.items() if side < 0},
        above={node: reach.hops for node, (side, reach) in reached.items() if side > 0},
        business=frozenset(reach.thing.id for reach in inputs.business if reached[reach.thing.id][0] > 0),
    )
    along = [thing.id for thing in inputs.failing_path if thing.id in reached]
    path = frozenset(pairwise(along))
    edges = {edge for edge in inputs.edges if edge[0] != edge[1] and reached.keys() >= set(edge)} | path
    acyclic = _without_cycles(sides, edges)
    nodes = {node: _box(reach, sides, along) for node, (_, reach) in reached.items()}
    layers, stands_for = _layers(nodes, _levels(sides, acyclic))
    level = {box.id: number for number, layer in enumerate(layers) for box in layer}
    upward, returning = set(), set()
    for low, high in edges:
        ends = stands_for[low], stands_for[high]
        if level[ends[0]] < level[ends[1]]:
            upward.add(ends)
        elif ends[0] != ends[1] and (level[ends[0]] > level[ends[1]] or (low, high) not in acyclic.edges):
            returning.add(ends)
    return LayeredGraph(
        nodes={box.id: box for layer in layers for box in layer},
        layers=tuple(tuple(box.id for box in layer) for layer in layers),
        edges=tuple(sorted(upward)),
        returning=tuple(sorted(returning)),
        path=path & upward,
        is_whole=inputs.is_whole,
    )


def _nodes_by_id(view: DependencyView, centre: EntityRef) -> dict[str, tuple[int, DependencyNode]]:
    """Return each service once, with its side: below (-1) or above (1) the failing service (0). A service
    that is on both, since they depend on each other, stands below: from there the failure may have come.
    """
    found = {centre.id: (0, DependencyNode(thing=centre, hops=0))}
    sides = [(-1, reach) for reach in view.upstream]
    sides += [(1, reach) for reach in (*view.downstream, *view.business)]
    for side, reach in sorted(sides, key=lambda each: (each[0], each[1].hops, each[1].thing.id)):
        found.setdefault(reach.thing.id, (side, reach))
    return found


def _without_cycles(sides: _Sides, edges: Iterable[Edge]) -> _Acyclic:
    """Return as many of the edges as make no cycle: those that lead away from the failing service first."""
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
    # A node that reaches another reaches more nodes than the other does.
    order = sorted(heights, key=lambda node: (-reaches[node].bit_count(), node))
    return _Acyclic(frozenset(kept), tuple(order))


def _levels(sides: _Sides, acyclic: _Acyclic) -> dict[str, int]:
    """Return how high each node stands: the longest way from the failing service, which is at 0.

    Business services are above all others.
    """
    ahead: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    for low, high in acyclic.edges:
        ahead.setdefault(low, []).append(high)
        behind.setdefault(high, []).append(low)
    level = {sides.centre: 0}
    for node in reversed(acyclic.order):
        if node in sides.below:
            ways = [level[high] - 1 for high in ahead.get(node, ()) if high in level]
            level[node] = max(min(ways, default=-sides.below[node]), -MAX_LEVELS)
    for node in acyclic.order:
        if node in sides.above and node not in sides.business:
            ways = [level[low] + 1 for low in behind.get(node, ()) if level.get(low, -1) >= 0]
            level[node] = min(max(ways, default=sides.above[node]), MAX_LEVELS)
    top = max(level.values())
    for node in acyclic.order:
        if node in sides.business:
            ways = [level[low] + 1 for low in behind.get(node, ()) if low in sides.business]
            level[node] = min(max(ways, default=top + 1), top + 2)
    return level


def _box(reach: DependencyNode, sides: _Sides, along: Sequence[str]) -> Box:
    node, is_on_path = reach.thing.id, len(along) > 1 and reach.thing.id in along
    role = Role.BUSINESS if node in sides.business else Role.SERVICE
    if node == sides.centre:
        role = Role.FAILING
    elif is_on_path and node == along[0]:
        role = Role.ORIGIN
    return Box(node, reach.thing.name or node, role, reach.has_open_incident, is_on_path, reach.hops)


def _layers(nodes: Mapping[str, Box], level: Mapping[str, int]) -> tuple[list[list[Box]], dict[str, str]]:
    """Return the layers from the bottom, and which box each node is in: its own, or that of the rest."""
    members: dict[int, list[Box]] = {}
    for node in sorted(nodes.values(), key=lambda node: node.importance):
        members.setdefault(level[node.id], []).append(node)
    room = _layer_capacity([len(layer) for layer in members.values()])
    stands_for = {node: node for node in nodes}
    layers = []
    for number in sorted(members):
        kept, rest = members[number][:room], members[number][room:]
        kept.sort(key=lambda node: (node.name, node.id))
        if rest:
            is_open = any(node.has_open_incident for node in rest)
            kept.append(Box(f"+{number}", f"+{len(rest)} more", Role.MORE, is_open))
        stands_for |= {node.id: f"+{number}" for node in rest}
        layers.append(kept)
    return layers, stands_for


def _layer_capacity(sizes: Sequence[int]) -> int:
    """Return how many boxes a layer may show, so that all layers together are few enough."""
    for room in range(MAX_LAYER_NODES, 1, -1):
        if sum(min(size, room) + (size > room) for size in sizes) <= MAX_NODES:
            return room
    return 1
