"""The dependency graph around a service: blast radius, suspects, distances, paths and cycles.

An edge is (supporting, dependent): failures travel along it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import networkx as nx

from calmo_pagerduty.contexts.analysis.inputs import Dependencies, Node, NodeKind
from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: Suspects lie at most so many hops upstream; the distance decay ends one hop farther.
MAX_HOPS = 3
#: The factor by which each hop reduces a weight.
DECAY_PER_HOP = 0.7
#: Further edges are ignored.
MAX_EDGES = 50_000
MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """The services up- and downstream of one service, with their hops from it. Neither mapping has the
    service itself.
    """

    service_id: str
    #: The blast radius: services that depend on it, directly or not.
    downstream: Mapping[str, int]
    #: The services that it depends on, directly or not.
    upstream: Mapping[str, int]
    #: For each suspect, the shortest path from it to the service, both included.
    paths: Mapping[str, tuple[str, ...]]
    #: Services that depend on each other in a circle, the smallest id first.
    cycles: tuple[tuple[str, ...], ...]
    #: The edges between all these services.
    edges: tuple[tuple[str, str], ...]
    is_whole: bool

    def hops_to(self, service_id: str) -> int | None:
        """Return the shorter distance of both directions; None without a path."""
        if service_id == self.service_id:
            return 0
        distances = (self.downstream.get(service_id), self.upstream.get(service_id))
        return min((hops for hops in distances if hops is not None), default=None)

    def suspects(self) -> dict[str, int]:
        """Return the services at most MAX_HOPS upstream, with their hops."""
        return {node: hops for node, hops in self.upstream.items() if hops <= MAX_HOPS}


def build_neighbourhood(service_id: str, dependencies: Dependencies) -> Neighbourhood:
    """Return the service's neighbourhood; it is empty for a service without dependencies."""
    graph = _graph(dependencies.edges)
    downstream = _hops_from(graph, service_id)
    upstream = _hops_from(graph.reverse(copy=False), service_id)
    connected = graph.subgraph({service_id, *downstream, *upstream})
    cycles = (
        tuple(sorted(component))
        for component in nx.strongly_connected_components(connected)
        if len(component) > 1
    )
    return Neighbourhood(
        service_id=service_id,
        downstream=downstream,
        upstream=upstream,
        paths=_shortest_paths_to(graph, service_id),
        cycles=tuple(sorted(cycles)),
        edges=tuple(sorted(connected.edges)),
        is_whole=dependencies.is_whole and len(dependencies.edges) <= MAX_EDGES,
    )


def blast_radius(edges: Iterable[tuple[str, str]], service_id: str) -> frozenset[str]:
    """Return all services that depend on the service, directly or not."""
    return frozenset(_hops_from(_graph(edges), service_id))


def suspects(edges: Iterable[tuple[str, str]], service_id: str) -> frozenset[str]:
    """Return all services that the service depends on, directly or not."""
    return frozenset(_hops_from(_graph(edges).reverse(copy=False), service_id))


def distance_decay(hops: int | None) -> float:
    """Return DECAY_PER_HOP ** hops. More than MAX_HOPS hops, or no path (None), count as MAX_HOPS + 1."""
    return DECAY_PER_HOP ** min(MAX_HOPS + 1, MAX_HOPS + 1 if hops is None else hops)


def service_ref(service_id: str, dependencies: Dependencies) -> EntityRef:
    """Return the service as the document names it; without a name if the service was not read."""
    node: Node | None = dependencies.nodes.get(service_id)
    if node is None:
        return EntityRef(id=service_id, kind=NodeKind.TECHNICAL)
    return EntityRef(id=node.id, kind=node.kind, name=sanitize_text(node.name, MAX_NAME_LENGTH), url=node.url)


def is_business_service(service_id: str, dependencies: Dependencies) -> bool:
    """Return whether it was read as a business service."""
    node = dependencies.nodes.get(service_id)
    return node is not None and node.kind is NodeKind.BUSINESS


def _graph(edges: Iterable[tuple[str, str]]) -> nx.DiGraph:
    """Build the graph from sorted edges, so that ties of shortest paths always fall the same way.

    An edge from a service to itself is left out.
    """
    graph = nx.DiGraph()
    graph.add_edges_from(islice((edge for edge in sorted(edges) if edge[0] != edge[1]), MAX_EDGES))
    return graph


def _hops_from(graph: nx.DiGraph, service_id: str) -> dict[str, int]:
    if service_id not in graph:
        return {}
    hops: dict[str, int] = nx.single_source_shortest_path_length(graph, service_id)
    return {
        node: hops[node] for node in sorted(hops, key=lambda node: (hops[node], node)) if node != service_id
    }


def _shortest_paths_to(graph: nx.DiGraph, service_id: str) -> dict[str, tuple[str, ...]]:
    if service_id not in graph:
        return {}
    backwards = graph.reverse(copy=False)
    paths: dict[str, list[str]] = nx.single_source_shortest_path(backwards, service_id, cutoff=MAX_HOPS)
    return {node: tuple(reversed(path)) for node, path in paths.items() if node != service_id}
