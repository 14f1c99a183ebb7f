"""The chain of dependencies that costs a business service most availability, and what repairing it gains.

The chain is the path of the greatest Σ −ln A on the condensation of the graph, in which services that depend
on each other in a circle are one node with the sum of theirs. By the series model (a service works if all
works that it depends on, independently of each other) availabilities multiply, so −ln A adds up. Pure.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx

from calmo_pagerduty.dependencies.graph import Direction, ServiceGraph, reached
from calmo_pagerduty.dependencies.impact import Failures
from calmo_pagerduty.kernel.intervals import Span, total_seconds
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
)

#: What a service of the chain is imagined to reach.
TARGET = 0.9995
#: The logarithm of 0 is infinite: a service that was never available counts as this.
LEAST = 1e-9
Availabilities = Mapping[ServiceKey, float]


@dataclass(frozen=True, slots=True)
class Gain:
    """If `service` had `TARGET`, the business service's availability would gain `points` (percent points)."""

    service: ServiceKey
    availability: float
    points: float


@dataclass(frozen=True, slots=True)
class CriticalChain:
    """`services` begins farthest away and ends with the business service. `cost` is Σ −ln A of it.

    `series` is the product of all availabilities that the service depends on: a bound if failures don't
    overlap. `gains` are of the chain's services below `TARGET`, the greatest first.
    """

    service: ServiceKey
    services: tuple[ServiceKey, ...]
    cost: float
    series: float
    gains: tuple[Gain, ...]


def availabilities(services: Iterable[ServiceKey], failures: Failures, window: Span) -> Availabilities:
    """Return the share of the window in which each service had not failed, from 0 to 1."""
    return {key: 1 - total_seconds(failures.get(key, ())) / window.seconds for key in services}


def critical_chain(graph: ServiceGraph, service: ServiceKey, known: Availabilities) -> CriticalChain:
    """Return the chain of the service; of chains that cost the same, the first by its keys."""
    cone = {service, *reached(graph, service, Direction.UPSTREAM)}
    cost, services = _costliest(graph.part(cone), service, known)
    series = math.prod(known[key] for key in sorted(cone))
    gains = [
        Gain(key, known[key], 100 * series * (TARGET / max(known[key], LEAST) - 1))
        for key in services
        if known[key] < TARGET
    ]
    gains.sort(key=lambda gain: (-gain.points, gain.service))
    return CriticalChain(service, services, cost, series, tuple(gains))


def _costliest(
    cone: ServiceGraph, service: ServiceKey, known: Availabilities
) -> tuple[float, tuple[ServiceKey, ...]]:
    condensed = nx.condensation(cone.digraph())
    parts = {part: tuple(sorted(condensed.nodes[part]["members"])) for part in condensed}
    best: dict[int, tuple[float, tuple[ServiceKey, ...]]] = {}
    for part in nx.lexicographical_topological_sort(condensed, key=lambda part: parts[part]):
        members = _with_last(parts[part], service)
        own = math.fsum(-math.log(max(known[key], LEAST)) for key in members)
        before = min(
            (best[below] for below in condensed.predecessors(part)),
            key=lambda found: (-found[0], found[1]),
            default=(0.0, ()),
        )
        # A chain begins where something has failed.
        begins = before[0] + own > 0 or service in members
        best[part] = (before[0] + own, (*before[1], *members) if begins else ())
    return next(found for part, found in best.items() if service in parts[part])


def _with_last(members: tuple[ServiceKey, ...], last: ServiceKey) -> tuple[ServiceKey, ...]:
    return (*(key for key in members if key != last), last) if last in members else members
