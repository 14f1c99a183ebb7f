"""Which services a picture of an incident's dependencies shows, and in which layer each stands.

Business services on top, the failing service in the middle, what it depends on below. At most so many
as one can read: of the rest each layer tells how many there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from calmo_pagerduty.analysis.graph_levels import Edge, Sides, levels, without_circles
from calmo_pagerduty.domain.context_facts import Thing
from calmo_pagerduty.domain.incident_context import Assessment, Reach, Surrounding

#: More than these, nobody reads.
MOST_NODES = 40
MOST_IN_A_LAYER = 7


class Role(StrEnum):
    FAILING = "failing"
    ORIGIN = "origin"
    BUSINESS = "business"
    SERVICE = "service"
    #: Stands for those of its layer that aren't shown.
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Shown:
    """One box of the picture."""

    id: str
    name: str
    role: Role
    has_open_incident: bool = False
    is_on_path: bool = False
    hops: int = 0

    @property
    def importance(self) -> tuple[bool, bool, bool, int, str]:
        """The most important first."""
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

    nodes: Mapping[str, Shown]
    layers: tuple[tuple[str, ...], ...]
    edges: tuple[Edge, ...]
    returning: tuple[Edge, ...]
    path: frozenset[Edge]
    is_whole: bool


def layered(found: Assessment) -> LayeredGraph:
    """Return what the picture shows. Without a known service the incident itself stands in the middle."""
    around = found.surrounding
    incident = Thing(id=found.incident.incident.id, kind="incident", name="This incident")
    centre = found.incident.service or incident
    reached = _reached(around, centre)
    sides = Sides(
        centre.id,
        below={node: one.hops for node, (side, one) in reached.items() if side < 0},
        above={node: one.hops for node, (side, one) in reached.items() if side > 0},
        business=frozenset(one.thing.id for one in around.business if reached[one.thing.id][0] > 0),
    )
    along = [thing.id for thing in around.failing_path if thing.id in reached]
    path = frozenset(pairwise(along))
    edges = {edge for edge in around.edges if edge[0] != edge[1] and reached.keys() >= set(edge)} | path
    forward = without_circles(sides, edges)
    nodes = {node: _shown(one, sides, along) for node, (_, one) in reached.items()}
    layers, stands_for = _rows(nodes, levels(sides, forward))
    level = {node: number for number, layer in enumerate(layers) for node in (one.id for one in layer)}
    upward, returning = set(), set()
    for low, high in edges:
        ends = stands_for[low], stands_for[high]
        if level[ends[0]] < level[ends[1]]:
            upward.add(ends)
        elif ends[0] != ends[1] and (level[ends[0]] > level[ends[1]] or (low, high) not in forward.edges):
            returning.add(ends)
    return LayeredGraph(
        nodes={one.id: one for layer in layers for one in layer},
        layers=tuple(tuple(one.id for one in layer) for layer in layers),
        edges=tuple(sorted(upward)),
        returning=tuple(sorted(returning)),
        path=path & upward,
        is_whole=around.is_whole,
    )


def _reached(around: Surrounding, centre: Thing) -> dict[str, tuple[int, Reach]]:
    """Return each service once, with its side: below (-1) or above (1) the failing one (0). One that is on
    both, since they depend on each other, stands below: from there the failure may have come.
    """
    found = {centre.id: (0, Reach(thing=centre, hops=0))}
    sides = [(-1, one) for one in around.upstream]
    sides += [(1, one) for one in (*around.downstream, *around.business)]
    for side, one in sorted(sides, key=lambda each: (each[0], each[1].hops, each[1].thing.id)):
        found.setdefault(one.thing.id, (side, one))
    return found


def _shown(one: Reach, sides: Sides, along: Sequence[str]) -> Shown:
    node, is_on_path = one.thing.id, len(along) > 1 and one.thing.id in along
    role = Role.BUSINESS if node in sides.business else Role.SERVICE
    if node == sides.centre:
        role = Role.FAILING
    elif is_on_path and node == along[0]:
        role = Role.ORIGIN
    return Shown(node, one.thing.name or node, role, one.has_open_incident, is_on_path, one.hops)


def _rows(nodes: Mapping[str, Shown], level: Mapping[str, int]) -> tuple[list[list[Shown]], dict[str, str]]:
    """Return the layers from the bottom, and which box each node is in: its own, or that of the rest."""
    members: dict[int, list[Shown]] = {}
    for node in sorted(nodes.values(), key=lambda node: node.importance):
        members.setdefault(level[node.id], []).append(node)
    room = _room([len(layer) for layer in members.values()])
    stands_for = {node: node for node in nodes}
    layers = []
    for number in sorted(members):
        kept, rest = members[number][:room], members[number][room:]
        kept.sort(key=lambda node: (node.name, node.id))
        if rest:
            is_open = any(node.has_open_incident for node in rest)
            kept.append(Shown(f"+{number}", f"+{len(rest)} more", Role.MORE, is_open))
        stands_for |= {node.id: f"+{number}" for node in rest}
        layers.append(kept)
    return layers, stands_for


def _room(sizes: Sequence[int]) -> int:
    """Return how many a layer shows, so that all of them are few enough."""
    for room in range(MOST_IN_A_LAYER, 1, -1):
        if sum(min(size, room) + (size > room) for size in sizes) <= MOST_NODES:
            return room
    return 1
