"""The report as JSON: times are ISO 8601 in UTC, durations hours, shares from 0 to 1. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from calmo_pagerduty.dependencies.graph import ServiceGraph, graph_of
from calmo_pagerduty.dependencies.impact import BusinessImpact
from calmo_pagerduty.dependencies.report import DependencyReport
from calmo_pagerduty.dependencies.single_points import SinglePoint
from calmo_pagerduty.dependencies.undeclared import ProposedDependency
from calmo_pagerduty.kernel.instants import format_instant
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.dependency_model import Dependency, ServiceKey
from calmo_pagerduty.snapshots.model import AccountSnapshot

MAX_LISTED = 50
MAX_CHANGES = 500


def hours(seconds: int) -> float:
    return round(seconds / 3600, 3)


def service_document(report: DependencyReport, key: ServiceKey) -> JsonObject:
    node = report.graph.nodes.get(key)
    return {
        "key": str(key),
        "id": key.id,
        "kind": key.kind.value,
        "name": report.name(key),
        "html_url": node.html_url if node else None,
    }


def critical_document(report: DependencyReport, wanted: ServiceKey | None = None) -> JsonObject:
    """Return each business service's impact, critical chain and what repairing it gains; worst first."""
    impacts = [impact for key, impact in report.impacts.items() if wanted in (None, key)]
    impacts.sort(key=lambda impact: (-impact.seconds, impact.service))
    return {
        "window": list(report.window),
        "business_services": [_business(report, impact) for impact in impacts],
        "mission_critical": _mission_critical(report),
    }


def _business(report: DependencyReport, impact: BusinessImpact) -> JsonObject:
    chain = report.chains[impact.service]
    return {
        "service": service_document(report, impact.service),
        "impacted_hours": hours(impact.seconds),
        "availability": round(impact.availability, 6),
        "series_availability": round(chain.series, 6),
        "contributions": [
            {
                "service": service_document(report, item.service),
                "hours": hours(item.seconds),
                "hours_alone": hours(item.alone_seconds),
            }
            for item in impact.contributions[:MAX_LISTED]
        ],
        "chain": [
            {
                "service": service_document(report, key),
                "availability": round(report.availability[key], 6),
            }
            for key in chain.services
        ],
        "chain_cost": round(chain.cost, 6),
        "gains": [
            {
                "service": service_document(report, gain.service),
                "availability": round(gain.availability, 6),
                "points": round(gain.points, 4),
            }
            for gain in chain.gains
        ],
    }


def _mission_critical(report: DependencyReport) -> list[JsonObject]:
    """Return the services by the sum of hours that they contribute to all business services."""
    totals: dict[ServiceKey, int] = {}
    reached: dict[ServiceKey, int] = {}
    for impact in report.impacts.values():
        for item in impact.contributions:
            totals[item.service] = totals.get(item.service, 0) + item.seconds
            reached[item.service] = reached.get(item.service, 0) + 1
    ranked = sorted(totals, key=lambda key: (-totals[key], key))[:MAX_LISTED]
    return [
        {
            "service": service_document(report, key),
            "hours": hours(totals[key]),
            "business_services": reached[key],
        }
        for key in ranked
    ]


def single_points_document(report: DependencyReport, wanted: ServiceKey | None = None) -> JsonObject:
    """Return the single points of failure, those with most hours first."""
    points = [point for point in report.points if wanted in (None, point.business_service)]
    return {"window": list(report.window), "single_points": [_point(report, point) for point in points]}


def _point(report: DependencyReport, point: SinglePoint) -> JsonObject:
    return {
        "service": service_document(report, point.service),
        "business_service": service_document(report, point.business_service),
        "behind": [service_document(report, key) for key in point.behind[:MAX_LISTED]],
        "behind_count": len(point.behind),
        "is_articulation": point.is_articulation,
        "is_common_ground": point.is_common_ground,
        "hours": hours(point.seconds),
    }


def proposals_document(report: DependencyReport) -> JsonObject:
    """Return dependencies that nobody declared, with their proof."""
    return {"proposals": [proposal_document(report, proposal) for proposal in report.proposals]}


def proposal_document(report: DependencyReport, proposal: ProposedDependency) -> JsonObject:
    return {
        "supporting": service_document(report, proposal.supporting),
        "dependent": service_document(report, proposal.dependent),
        "together": len(proposal.pairs),
        "expected": round(proposal.expected, 3),
        "p": float(f"{proposal.p:.3g}"),
        "began_first": proposal.began_first,
        "incidents": [list(pair) for pair in proposal.pairs[:MAX_LISTED]],
    }


def changes_document(snapshot: AccountSnapshot) -> list[JsonObject]:
    """Return dependencies that came or went after the first reading, the newest first.

    Each happened after the reading `after` and by the reading `by`.
    """
    graph = graph_of(snapshot)
    found: list[tuple[int, int | None, str, Dependency]] = []
    for edge in (edge for item in snapshot.dependencies for edge in item.supports):
        if edge.absent_at is not None:
            found.append((edge.first_seen, edge.absent_at, "added", edge))
        if edge.gone_at is not None:
            found.append((edge.gone_at, edge.last_seen, "removed", edge))
    found.sort(key=lambda change: (-change[0], change[2], change[3].ends))
    return [
        {
            "what": what,
            "supporting": _end(graph, edge.supporting),
            "dependent": _end(graph, edge.dependent),
            "after": _text_of(after),
            "by": _text_of(by),
        }
        for by, after, what, edge in found[:MAX_CHANGES]
    ]


def _end(graph: ServiceGraph, key: ServiceKey) -> JsonObject:
    node = graph.nodes.get(key)
    return {"key": str(key), "id": key.id, "kind": key.kind.value, "name": node.name if node else key.id}


def _text_of(at: int | None) -> str | None:
    return None if at is None else format_instant(datetime.fromtimestamp(at, UTC))


def services_text(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def services_named(report: DependencyReport, keys: Iterable[ServiceKey]) -> str:
    return ", ".join(report.name(key) for key in keys)
