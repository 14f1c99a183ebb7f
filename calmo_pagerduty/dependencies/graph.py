"""The graph of an account's services: who depends on whom, cycles, cascades and parts of it. Pure.

An edge is (supporting, dependent): failures travel along it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import networkx as nx

from calmo_pagerduty.snapshots.dependency_model import (
    Dependency,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
)

Edge = tuple[ServiceKey, ServiceKey]


class Direction(StrEnum):
    """UPSTREAM: towards what a service depends on. DOWNSTREAM: towards what depends on it."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class ServiceNode:
    """A service of the graph. `is_read` tells whether PagerDuty was asked for its dependencies."""

    key: ServiceKey
    name: str
    html_url: str | None = None
    team_ids: tuple[str, ...] = ()
    is_read: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ServiceGraph:
    """Services by key, and their edges in order. Every end of an edge is a node."""

    nodes: Mapping[ServiceKey, ServiceNode]
    edges: tuple[Edge, ...]

    def digraph(self) -> nx.DiGraph:
        """Return it for networkx; failures travel along its edges. The order is that of the keys."""
        graph = nx.DiGraph()
        graph.add_nodes_from(sorted(self.nodes))
        graph.add_edges_from(self.edges)
        return graph

    def part(self, keys: Collection[ServiceKey]) -> "ServiceGraph":
        """Return the graph of these services and the edges between them."""
        kept = set(keys)
        return ServiceGraph(
            {key: node for key, node in self.nodes.items() if key in kept},
            tuple(edge for edge in self.edges if kept.issuperset(edge)),
        )

    def of_kind(self, kind: ServiceKind) -> tuple[ServiceKey, ...]:
        return tuple(key for key in sorted(self.nodes) if key.kind is kind)


def graph_of(snapshot: AccountSnapshot, at: int | None = None) -> ServiceGraph:
    """Return the graph as the snapshot knows it, or as it was at `at` (epoch seconds, UTC).

    Services are those of the snapshot. An edge whose time of adding lies between two readings counts from
    the later one on; one that was there at the first reading counts from the beginning.
    """
    edges = [
        edge.ends
        for item in snapshot.dependencies
        for edge in item.supports
        if (edge.gone_at is None if at is None else was_there(edge, at))
    ]
    read = {item.service for item in snapshot.dependencies if item.read_at}
    nodes: dict[ServiceKey, ServiceNode] = {}
    for kind, services in (
        (ServiceKind.BUSINESS, snapshot.business_services),
        (ServiceKind.TECHNICAL, snapshot.services),
    ):
        for service in services:
            key = ServiceKey(kind, service.id)
            nodes[key] = ServiceNode(key, service.name, service.html_url, service.team_ids, key in read)
    # PagerDuty names services in dependencies that this token may not list.
    for key in {end for edge in edges for end in edge} - nodes.keys():
        nodes[key] = ServiceNode(key, key.id, is_read=key in read)
    return ServiceGraph({key: nodes[key] for key in sorted(nodes)}, tuple(sorted(set(edges))))


def was_there(edge: Dependency, at: int) -> bool:
    """Tell whether the dependency was there at `at`, as far as readings show."""
    return (edge.absent_at is None or edge.first_seen <= at) and (edge.gone_at is None or at < edge.gone_at)


def cycles(graph: ServiceGraph) -> tuple[tuple[ServiceKey, ...], ...]:
    """Return the groups of services that depend on each other in circles, each in order."""
    digraph = graph.digraph()
    found = (tuple(sorted(part)) for part in nx.strongly_connected_components(digraph))
    return tuple(sorted(part for part in found if len(part) > 1 or digraph.has_edge(part[0], part[0])))


def without_dependencies(graph: ServiceGraph) -> tuple[ServiceKey, ...]:
    """Return the services that are known to depend on nothing and to support nothing."""
    connected = {end for edge in graph.edges for end in edge}
    return tuple(key for key, node in graph.nodes.items() if node.is_read and key not in connected)


def reached(graph: ServiceGraph, start: ServiceKey, direction: Direction) -> frozenset[ServiceKey]:
    """Return all services that are reached in the direction, without the start."""
    if start not in graph.nodes:
        return frozenset()
    step = nx.ancestors if direction is Direction.UPSTREAM else nx.descendants
    return frozenset(step(graph.digraph(), start)) - {start}


def failed_below(graph: ServiceGraph, failed: Collection[ServiceKey]) -> dict[ServiceKey, int]:
    """Return how many other services have failed that each service depends on, directly or not.

    Services of a cycle depend on each other; each is counted once.
    """
    number = {key: 1 << place for place, key in enumerate(sorted(set(failed) & graph.nodes.keys()))}
    condensed = nx.condensation(graph.digraph())
    below: dict[int, int] = {}
    counts: dict[ServiceKey, int] = {}
    for part in nx.topological_sort(condensed):
        members = condensed.nodes[part]["members"]
        own = sum(number.get(key, 0) for key in members)
        seen = own
        for supporting in condensed.predecessors(part):
            seen |= below[supporting]
        below[part] = seen
        for key in members:
            counts[key] = (seen & ~number.get(key, 0)).bit_count()
    return {key: counts[key] for key in graph.nodes}


def focus(graph: ServiceGraph, start: ServiceKey, hops: int) -> ServiceGraph:
    """Return the services at most so many hops up- or downstream of the start, with the start."""
    digraph = graph.digraph()
    near = {start}
    for oriented in (digraph, digraph.reverse(copy=False)):
        near |= nx.single_source_shortest_path_length(oriented, start, cutoff=hops).keys()
    return graph.part(near)


def search(graph: ServiceGraph, text: str) -> tuple[ServiceKey, ...]:
    """Return the services with the text in their name, or whose id it is."""
    wanted = text.strip().casefold()
    return tuple(
        key
        for key, node in graph.nodes.items()
        if wanted and (wanted in node.name.casefold() or wanted == key.id.casefold())
    )


def find_service(graph: ServiceGraph, text: str) -> ServiceKey | None:
    """Return the service of this `KIND:ID`, id or name; a technical one rather than a business one."""
    wanted = text.strip()
    found = [
        key
        for key, node in graph.nodes.items()
        if wanted in (str(key), key.id) or wanted.casefold() == node.name.casefold()
    ]
    return max(found, key=lambda key: (str(key) == wanted, key.id == wanted, key.kind), default=None)


def of_teams(graph: ServiceGraph, team_ids: Iterable[str]) -> ServiceGraph:
    """Return the teams' services, and the services next to them."""
    wanted = set(team_ids)
    own = {key for key, node in graph.nodes.items() if not wanted.isdisjoint(node.team_ids)}
    beside = {end for edge in graph.edges if not own.isdisjoint(edge) for end in edge}
    return graph.part(own | beside)
