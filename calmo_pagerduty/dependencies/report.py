"""What the account's dependencies and its incidents say: impact, chains, single points, proposals. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from calmo_pagerduty.dependencies.critical_chain import (
    Availabilities,
    CriticalChain,
    availabilities,
    critical_chain,
)
from calmo_pagerduty.dependencies.graph import ServiceGraph, cycles, graph_of, without_dependencies
from calmo_pagerduty.dependencies.impact import BusinessImpact, Failures, failures_of, impact_on
from calmo_pagerduty.dependencies.single_points import SinglePoint, single_points
from calmo_pagerduty.dependencies.undeclared import ProposedDependency, propose_dependencies
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    SectionName,
)

#: How far back failures are counted.
DAYS = 90
MAX_DAYS = 365
DAY = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class DependencyReport:
    """Everything about one snapshot. Mappings are by business service; `points` are the gravest first."""

    graph: ServiceGraph
    window: Span
    failures: Failures
    availability: Availabilities
    impacts: Mapping[ServiceKey, BusinessImpact]
    chains: Mapping[ServiceKey, CriticalChain]
    points: tuple[SinglePoint, ...]
    cycles: tuple[tuple[ServiceKey, ...], ...]
    without_dependencies: tuple[ServiceKey, ...]
    proposals: tuple[ProposedDependency, ...]

    def name(self, key: ServiceKey) -> str:
        node = self.graph.nodes.get(key)
        return node.name if node else key.id


def window_of(snapshot: AccountSnapshot, now: int, days: int) -> Span:
    """Return the window that ends at `now`, and begins no earlier than the snapshot knows incidents."""
    known = [section.since for section in snapshot.sections if section.name is SectionName.INCIDENTS]
    since = next((at for at in known if at is not None), now - MAX_DAYS * DAY)
    return Span(min(now - 1, max(now - days * DAY, since)), now)


def dependency_report(snapshot: AccountSnapshot, now: int, days: int = DAYS) -> DependencyReport:
    """Return the report as of `now` (epoch seconds) on failures of the last days.

    Dependencies are today's: a chain that was removed yesterday explains nothing any more. Undeclared ones
    are sought in all incidents that the snapshot has.
    """
    graph = graph_of(snapshot)
    window = window_of(snapshot, now, days)
    failures = failures_of(snapshot.incidents, window)
    known = availabilities(graph.nodes, failures, window)
    business = graph.of_kind(ServiceKind.BUSINESS)
    points = [point for key in business for point in single_points(graph, key, failures)]
    points.sort(key=lambda point: (-point.seconds, -len(point.behind), point.service, point.business_service))
    return DependencyReport(
        graph=graph,
        window=window,
        failures=failures,
        availability=known,
        impacts={key: impact_on(graph, key, failures, window) for key in business},
        chains={key: critical_chain(graph, key, known) for key in business},
        points=tuple(points),
        cycles=cycles(graph),
        without_dependencies=without_dependencies(graph),
        proposals=propose_dependencies(graph, snapshot.incidents, window_of(snapshot, now, MAX_DAYS)),
    )
