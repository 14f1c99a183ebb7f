"""Who depends on whom around a service: blast radius, suspects, distances, paths and cycles.

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

#: Suspects are looked for so many hops upstream, and likeness fades so far.
MAX_HOPS = 3
#: How much of its weight a hop leaves.
DECAY_PER_HOP = 0.7
#: More edges are not looked at.
MAX_EDGES = 50_000
MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """What lies around one service. Hops are counted from it; it is in neither mapping itself."""

    service_id: str
    #: What depends on it, directly or not: the blast radius.
    downstream: Mapping[str, int]
    #: What it depends on, directly or not: the suspects.
    upstream: Mapping[str, int]
    #: By suspect within MAX_HOPS, the shortest way from it to the service, both included.
    paths: Mapping[str, tuple[str, ...]]
    #: Circles of services that depend on each other, the smallest id first.
    cycles: tuple[tuple[str, ...], ...]
    #: The edges among all these.
    edges: tuple[tuple[str, str], ...]
    is_whole: bool

    def hops_to(self, service_id: str) -> int | None:
        """Return the distance in either direction; None where there is no way."""
        if service_id == self.service_id:
            return 0
        ways = (self.downstream.get(service_id), self.upstream.get(service_id))
        return min((way for way in ways if way is not None), default=None)

    def suspects(self) -> dict[str, int]:
        """Return the services upstream that are near enough to be looked at, with their hops."""
        return {node: hops for node, hops in self.upstream.items() if hops <= MAX_HOPS}


def build_neighbourhood(service_id: str, dependencies: Dependencies) -> Neighbourhood:
    """Return what lies around the service. A service without dependencies has nothing around it."""
    graph = _graph(dependencies.edges)
    downstream = _hops_from(graph, service_id)
    upstream = _hops_from(graph.reverse(copy=False), service_id)
    inputs = graph.subgraph({service_id, *downstream, *upstream})
    cycles = (
        tuple(sorted(component))
        for component in nx.strongly_connected_components(inputs)
        if len(component) > 1
    )
    return Neighbourhood(
        service_id=service_id,
        downstream=downstream,
        upstream=upstream,
        paths=_shortest_paths_to(graph, service_id),
        cycles=tuple(sorted(cycles)),
        edges=tuple(sorted(inputs.edges)),
        is_whole=dependencies.is_whole and len(dependencies.edges) <= MAX_EDGES,
    )


def blast_radius(edges: Iterable[tuple[str, str]], service_id: str) -> frozenset[str]:
    """Return all that depends on the service, directly or not."""
    return frozenset(_hops_from(_graph(edges), service_id))


def suspects(edges: Iterable[tuple[str, str]], service_id: str) -> frozenset[str]:
    """Return all that the service depends on, directly or not."""
    return frozenset(_hops_from(_graph(edges).reverse(copy=False), service_id))


def distance_decay(hops: int | None) -> float:
    """Return what is left of a weight after so many hops; without a way it is one more than the most."""
    return DECAY_PER_HOP ** min(MAX_HOPS + 1, MAX_HOPS + 1 if hops is None else hops)


def service_ref(service_id: str, dependencies: Dependencies) -> EntityRef:
    """Return the service as the document names it; one that was not read has no name."""
    node: Node | None = dependencies.nodes.get(service_id)
    if node is None:
        return EntityRef(id=service_id, kind=NodeKind.TECHNICAL)
    return EntityRef(id=node.id, kind=node.kind, name=sanitize_text(node.name, MAX_NAME_LENGTH), url=node.url)


def is_business_service(service_id: str, dependencies: Dependencies) -> bool:
    """Return whether it is known to be a business service."""
    node = dependencies.nodes.get(service_id)
    return node is not None and node.kind is NodeKind.BUSINESS


def _graph(edges: Iterable[tuple[str, str]]) -> nx.DiGraph:
    """Sorted, so that of two ways equally short the same one is always found. A loop says nothing."""
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
    found: dict[str, list[str]] = nx.single_source_shortest_path(backwards, service_id, cutoff=MAX_HOPS)
    return {node: tuple(reversed(way)) for node, way in found.items() if node != service_id}
