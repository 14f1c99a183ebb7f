"""Services through which alone others reach a business service: its single points of failure. Pure.

Seen from the business service, along what it depends on:

- a *gate* dominates others: each chain of dependencies from the business service to them passes it (immediate
  dominators). A gate that also separates the undirected graph is an articulation point.
- a *common ground* post-dominates the business service, which depends on several services directly: each
  chain, however it goes, comes to it.

PagerDuty doesn't tell of redundancy: a service may have spare parts of its own inside.
Source: K. D. Cooper, T. J. Harvey, K. Kennedy, "A Simple, Fast Dominance Algorithm" (2001); J. Hopcroft,
R. Tarjan, Comm. ACM 16 (1973) 372-378, for articulation points.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import networkx as nx

from calmo_pagerduty.dependencies.graph import Direction, ServiceGraph, reached
from calmo_pagerduty.dependencies.impact import Failures
from calmo_pagerduty.kernel.intervals import total_seconds, union
from calmo_pagerduty.snapshots.dependency_model import ServiceKey

K = TypeVar("K", bound=Hashable)
#: The virtual node behind everything that depends on nothing. No service is a text.
_GROUND = "ground"


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """A service through which the business service depends on `behind` alone, or on everything.

    `seconds`: how long it or a service behind it had failed in the window.
    """

    service: ServiceKey
    business_service: ServiceKey
    behind: tuple[ServiceKey, ...]
    is_articulation: bool
    is_common_ground: bool
    seconds: int


def single_points(graph: ServiceGraph, business: ServiceKey, failures: Failures) -> tuple[SinglePoint, ...]:
    """Return the single points of failure of a business service, those with most hours first."""
    cone = graph.part({business, *reached(graph, business, Direction.UPSTREAM)})
    needs = cone.digraph().reverse(copy=True)
    behind = _dominated(immediate_dominators(needs, business), business)
    grounds = common_grounds(needs, business) if needs.out_degree(business) > 1 else frozenset()
    cuts = frozenset(nx.articulation_points(needs.to_undirected())) if len(needs) > 2 else frozenset()
    found = [
        _single_point(key, business, behind.get(key, ()), cuts, grounds, failures)
        for key in cone.nodes
        if key != business and (behind.get(key) or key in grounds)
    ]
    return tuple(sorted(found, key=lambda point: (-point.seconds, -len(point.behind), point.service)))


def _single_point(
    key: ServiceKey,
    business: ServiceKey,
    behind: tuple[ServiceKey, ...],
    cuts: Collection[ServiceKey],
    grounds: Collection[ServiceKey],
    failures: Failures,
) -> SinglePoint:
    spans = union(span for other in (key, *behind) for span in failures.get(other, ()))
    return SinglePoint(key, business, behind, key in cuts, key in grounds, total_seconds(spans))


def immediate_dominators(graph: nx.DiGraph, root: K) -> dict[K, K]:
    """Return the immediate dominator of each node that is reached from the root, without the root."""
    found: Mapping[K, Any] = nx.immediate_dominators(graph, root)
    return {node: dominator for node, dominator in found.items() if node != root}


def common_grounds(needs: nx.DiGraph, root: K) -> frozenset[K]:
    """Return the nodes that every way from the root to the ground passes, without the root.

    The ground lies behind each node without successors, and behind each circle that nothing leaves.
    """
    grounded = needs.copy()
    condensed = nx.condensation(needs)
    for part in condensed:
        if condensed.out_degree(part) == 0:
            grounded.add_edges_from((node, _GROUND) for node in condensed.nodes[part]["members"])
    dominators: Mapping[Any, Any] = immediate_dominators(grounded.reverse(copy=False), _GROUND)
    found, node = [], dominators.get(root)
    while node is not None and node != _GROUND:
        found.append(node)
        node = dominators.get(node)
    return frozenset(found)


def _dominated(
    dominators: Mapping[ServiceKey, ServiceKey], root: ServiceKey
) -> dict[ServiceKey, tuple[ServiceKey, ...]]:
    """Return what each node but the root dominates, itself not included, in order."""
    behind: dict[ServiceKey, list[ServiceKey]] = {}
    for node in dominators:
        above = dominators[node]
        while above != root:
            behind.setdefault(above, []).append(node)
            above = dominators[above]
    return {node: tuple(sorted(nodes)) for node, nodes in behind.items()}
