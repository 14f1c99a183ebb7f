"""Choose the services that the dependency picture shows, and put each into a layer.

Business services are on top, the failing service is in the middle, services upstream are below. The number
of boxes is limited, so that the picture stays readable: a box in each layer counts the hidden services.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import Assessment, DependencyNode, DependencyView

#: The ids of a supporting service and of one that depends on it.
Edge = tuple[str, str]

#: A picture with more boxes, in all or in a layer, is unreadable.
MAX_NODES = 40
MAX_LAYER_NODES = 7
#: The number of levels above and below the failing service; the last level also has all farther services.
MAX_LEVELS = 5


class Role(StrEnum):
    FAILING = "failing"
    ORIGIN = "origin"
    BUSINESS = "business"
    SERVICE = "service"
    #: Stands for the hidden services of its layer.
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the picture: a service, or the hidden services of a layer."""

    id: str
    name: str
    role: Role
    has_open_incident: bool = False
    is_on_path: bool = False
    hops: int = 0

    @property
    def importance(self) -> tuple[bool, bool, bool, int, str]:
        """A sort key that puts the most important box first."""
        return (
            self.role is not Role.FAILING,
            not self.is_on_path,
            not self.has_open_incident,
            self.hops,
            self.id,
        )


@dataclass(frozen=True, slots=True)
class LayeredGraph:
    """Boxes and edges by id, layers from the bottom. `edges` go upward, from a supporting to a dependent box;
    those in `returning` close a cycle and go downward.
    """

    nodes: Mapping[str, Box]
    layers: tuple[tuple[str, ...], ...]
    edges: tuple[Edge, ...]
    returning: tuple[Edge, ...]
    path: frozenset[Edge]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Sides:
    """The services below (upstream) and above (downstream) the failing service, with their hops from it.

    `business` are the business services above.
    """

    centre: str
    below: Mapping[str, int]
    above: Mapping[str, int]
    business: frozenset[str]

    @property
    def heights(self) -> dict[str, int]:
        """Each service's hops, negative below the failing service."""
        return {self.centre: 0, **{node: -hops for node, hops in self.below.items()}, **self.above}


@dataclass(frozen=True, slots=True)
class _Acyclic:
    """Edges without a cycle; in `order`, each node comes after those that support it."""

    edges: frozenset[Edge]
    order: tuple[str, ...]


def build_layered_graph(assessment: Assessment) -> LayeredGraph:
    """Return the picture's boxes and edges. Without a service, the incident itself is in the middle."""
    view = assessment.surrounding
    incident = EntityRef(id=assessment.incident.incident.id, kind="incident", name="This incident")
    centre = assessment.incident.service or incident
    reached = _nodes_by_id(view, centre)
    sides = _Sides(
        centre.id,
        below={id_: node.hops for id_, (side, node) in reached.items() if side < 0},
        above={id_: node.hops for id_, (side, node) in reached.items() if side > 0},
        business=frozenset(node.thing.id for node in view.business if reached[node.thing.id][0] > 0),
    )
    path_ids = [thing.id for thing in view.failing_path if thing.id in reached]
    path = frozenset(pairwise(path_ids))
    edges = {edge for edge in view.edges if edge[0] != edge[1] and reached.keys() >= set(edge)} | path
    acyclic = _without_cycles(sides, edges)
    nodes = {id_: _box(node, sides, path_ids) for id_, (_, node) in reached.items()}
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
        is_whole=view.is_whole,
    )


def _nodes_by_id(view: DependencyView, centre: EntityRef) -> dict[str, tuple[int, DependencyNode]]:
    """Return each service by id, with its side: below (-1) or above (1) the failing service (0).

    In a cycle a service is on both sides. It is put below, because the failure may come from there.
    """
    by_id = {centre.id: (0, DependencyNode(thing=centre, hops=0))}
    sides = [(-1, node) for node in view.upstream]
    sides += [(1, node) for node in (*view.downstream, *view.business)]
    for side, node in sorted(sides, key=lambda item: (item[0], item[1].hops, item[1].thing.id)):
        by_id.setdefault(node.thing.id, (side, node))
    return by_id


def _without_cycles(sides: _Sides, edges: Iterable[Edge]) -> _Acyclic:
    """Keep as many edges as make no cycle, those that lead away from the failing service first."""
    heights = sides.heights
    bit = {node: number for number, node in enumerate(sorted(heights))}
    reaches = {node: 1 << number for node, number in bit.items()}
    acyclic_edges = []
    for low, high in sorted(edges, key=lambda edge: (heights[edge[0]] - heights[edge[1]], edge)):
        if reaches[high] >> bit[low] & 1:
            continue
        acyclic_edges.append((low, high))
        for node, reached in reaches.items():
            if reached >> bit[low] & 1:
                reaches[node] = reached | reaches[high]
    # A node that reaches another reaches more nodes than the other does.
    order = sorted(heights, key=lambda node: (-reaches[node].bit_count(), node))
    return _Acyclic(frozenset(acyclic_edges), tuple(order))


def _levels(sides: _Sides, acyclic: _Acyclic) -> dict[str, int]:
    """Return each node's level: the longest path from the failing service, which is at 0.

    Business services are above all others.
    """
    dependents: dict[str, list[str]] = {}
    supporters: dict[str, list[str]] = {}
    for low, high in acyclic.edges:
        dependents.setdefault(low, []).append(high)
        supporters.setdefault(high, []).append(low)
    level = {sides.centre: 0}
    for node in reversed(acyclic.order):
        if node in sides.below:
            candidates = [level[high] - 1 for high in dependents.get(node, ()) if high in level]
            level[node] = max(min(candidates, default=-sides.below[node]), -MAX_LEVELS)
    for node in acyclic.order:
        if node in sides.above and node not in sides.business:
            candidates = [level[low] + 1 for low in supporters.get(node, ()) if level.get(low, -1) >= 0]
            level[node] = min(max(candidates, default=sides.above[node]), MAX_LEVELS)
    top = max(level.values())
    for node in acyclic.order:
        if node in sides.business:
            candidates = [level[low] + 1 for low in supporters.get(node, ()) if low in sides.business]
            level[node] = min(max(candidates, default=top + 1), top + 2)
    return level


def _box(reach: DependencyNode, sides: _Sides, path_ids: Sequence[str]) -> Box:
    node, is_on_path = reach.thing.id, len(path_ids) > 1 and reach.thing.id in path_ids
    role = Role.BUSINESS if node in sides.business else Role.SERVICE
    if node == sides.centre:
        role = Role.FAILING
    elif is_on_path and node == path_ids[0]:
        role = Role.ORIGIN
    return Box(node, reach.thing.name or node, role, reach.has_open_incident, is_on_path, reach.hops)


def _layers(nodes: Mapping[str, Box], level: Mapping[str, int]) -> tuple[list[list[Box]], dict[str, str]]:
    """Return the layers from the bottom, and the id of each node's box: its own, or the layer's MORE box."""
    members: dict[int, list[Box]] = {}
    for node in sorted(nodes.values(), key=lambda node: node.importance):
        members.setdefault(level[node.id], []).append(node)
    capacity = _layer_capacity([len(layer) for layer in members.values()])
    stands_for = {node: node for node in nodes}
    layers = []
    for number in sorted(members):
        shown, hidden = members[number][:capacity], members[number][capacity:]
        shown.sort(key=lambda node: (node.name, node.id))
        if hidden:
            is_open = any(node.has_open_incident for node in hidden)
            shown.append(Box(f"+{number}", f"+{len(hidden)} more", Role.MORE, is_open))
        stands_for |= {node.id: f"+{number}" for node in hidden}
        layers.append(shown)
    return layers, stands_for


def _layer_capacity(sizes: Sequence[int]) -> int:
    """Return how many services a layer may show so that all layers together have at most MAX_NODES boxes."""
    for capacity in range(MAX_LAYER_NODES, 1, -1):
        if sum(min(size, capacity) + (size > capacity) for size in sizes) <= MAX_NODES:
            return capacity
    return 1
