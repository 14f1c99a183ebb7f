"""The map of services with what is open on them, whole or a part of it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.dependencies.graph import (
    Direction,
    ServiceGraph,
    ServiceNode,
    cycles,
    failed_below,
    focus,
    graph_of,
    of_teams,
    reached,
    search,
    without_dependencies,
)
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    Urgency,
)

MAX_HOPS = 10


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident. `priority` is PagerDuty's name of it, such as P1; None if it has none."""

    id: str
    service_id: str
    urgency: Urgency
    priority: str | None = None

    @property
    def rank(self) -> tuple[bool, str, bool]:
        """The worst first: by priority's name, incidents without one after those that have one."""
        return self.priority is None, (self.priority or "").casefold(), self.urgency is Urgency.LOW

    @property
    def label(self) -> str:
        return self.priority or f"{self.urgency} urgency"


@dataclass(frozen=True, slots=True)
class MapFilter:
    """Which part of the map is shown. All that is given must hold."""

    focus: ServiceKey | None = None
    hops: int = 1
    team_ids: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class MapNode:
    """A service on the map.

    `incidents` are open on it; of a business service, on what it depends on. `failed_below` is the number of
    other services with an open high-urgency incident that it depends on, directly or not.
    """

    service: ServiceNode
    incidents: tuple[OpenIncident, ...]
    failed_below: int
    is_in_cycle: bool

    @property
    def worst(self) -> str | None:
        """The worst incident's priority, or its urgency if it has none."""
        return min(self.incidents, key=lambda incident: incident.rank).label if self.incidents else None


@dataclass(frozen=True, slots=True, eq=False)
class ServiceMap:
    """The services that are shown; cycles, and services without dependencies, are the whole account's.

    `unread` services' own dependencies are unknown as yet. `at` is the time that is shown (epoch seconds).
    """

    graph: ServiceGraph
    nodes: Mapping[ServiceKey, MapNode]
    at: int
    services: int
    cycles: tuple[tuple[ServiceKey, ...], ...]
    without_dependencies: tuple[ServiceKey, ...]
    unread: int
    names: Mapping[ServiceKey, str]


def open_at(incidents: Iterable[Incident], at: int) -> tuple[OpenIncident, ...]:
    """Return the snapshot's incidents that were open at `at`; a snapshot knows no priorities."""
    return tuple(
        OpenIncident(incident.id, incident.service_id, incident.urgency)
        for incident in incidents
        if incident.created_at <= at and (incident.resolved_at is None or incident.resolved_at > at)
    )


def service_map(
    snapshot: AccountSnapshot, at: int, incidents: Sequence[OpenIncident], shown: MapFilter
) -> ServiceMap:
    """Return the map at `at`, with these open incidents."""
    graph = graph_of(snapshot, at)
    by_service: dict[ServiceKey, list[OpenIncident]] = defaultdict(list)
    for incident in incidents:
        by_service[ServiceKey(ServiceKind.TECHNICAL, incident.service_id)].append(incident)
    failed = {
        key
        for key, found in by_service.items()
        if any(incident.urgency is Urgency.HIGH for incident in found)
    }
    below, circles = failed_below(graph, failed), cycles(graph)
    in_circles = {key for circle in circles for key in circle}
    part = filtered(graph, shown)
    return ServiceMap(
        graph=part,
        nodes={
            key: MapNode(node, _incidents_of(graph, key, by_service), below[key], key in in_circles)
            for key, node in part.nodes.items()
        },
        at=at,
        services=len(graph.nodes),
        cycles=circles,
        without_dependencies=without_dependencies(graph),
        unread=sum(not node.is_read for node in graph.nodes.values()),
        names={key: node.name for key, node in graph.nodes.items()},
    )


def _incidents_of(
    graph: ServiceGraph, key: ServiceKey, by_service: Mapping[ServiceKey, Sequence[OpenIncident]]
) -> tuple[OpenIncident, ...]:
    if key.kind is ServiceKind.TECHNICAL or not by_service:
        found = list(by_service.get(key, ()))
    else:
        cone = reached(graph, key, Direction.UPSTREAM)
        found = [incident for other in cone & by_service.keys() for incident in by_service[other]]
    return tuple(sorted(found, key=lambda incident: (incident.rank, incident.id)))


def filtered(graph: ServiceGraph, shown: MapFilter) -> ServiceGraph:
    """Return the part that the filter asks for. A service found by text is shown with its neighbours."""
    part = graph
    if shown.focus is not None:
        part = focus(part, shown.focus, shown.hops) if shown.focus in part.nodes else part.part(())
    if shown.team_ids:
        part = of_teams(part, shown.team_ids)
    if shown.text.strip():
        found = set(search(part, shown.text))
        beside = {end for edge in part.edges if not found.isdisjoint(edge) for end in edge}
        part = part.part(found | beside)
    return part
