"""The analysis of dependencies: single points of failure, cycles, dependencies that nobody declared. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from calmo_pagerduty.dependencies.documents import hours, proposal_document, services_named
from calmo_pagerduty.dependencies.report import DependencyReport, dependency_report
from calmo_pagerduty.dependencies.single_points import SinglePoint
from calmo_pagerduty.dependencies.undeclared import FALSE_DISCOVERY_RATE, ProposedDependency
from calmo_pagerduty.findings.model import (
    AnalysisInputs,
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
    in_order,
)
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    SectionName,
)

ANALYSIS = "dependencies"
VERSION = 1
SECTIONS = (
    SectionName.SERVICES,
    SectionName.BUSINESS_SERVICES,
    SectionName.DEPENDENCIES,
    SectionName.INCIDENTS,
)
CODES = ("dependency_cycle", "single_point_of_failure", "undeclared_dependency")
#: So many hours in the window make a single point worth a look at once.
GRAVE_HOURS = 8
MAX_LISTED = 20


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return what is fragile. A service without dependencies is counted and is no finding."""
    report = dependency_report(snapshot, now)
    findings = [*_single_points(report), *_cycles(report), *_undeclared(report)]
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=report.window,
        time_zone="Etc/UTC",
        inputs=_inputs(snapshot, report),
        metrics={
            "technical_services": len(report.graph.of_kind(ServiceKind.TECHNICAL)),
            "business_services": len(report.graph.of_kind(ServiceKind.BUSINESS)),
            "dependencies": len(report.graph.edges),
            "cycles": len(report.cycles),
            "services_without_dependencies": len(report.without_dependencies),
            "undeclared_dependencies": len(report.proposals),
            "impacted_hours": {str(key): hours(item.seconds) for key, item in report.impacts.items()},
        },
        findings=in_order(findings),
    )


def _inputs(snapshot: AccountSnapshot, report: DependencyReport) -> AnalysisInputs:
    read = snapshot.completeness(SECTIONS)
    unread = sum(not node.is_read for node in report.graph.nodes.values())
    is_whole = read.complete.issuperset(SECTIONS) and not unread
    return AnalysisInputs(
        counts={
            "services": len(snapshot.services),
            "business_services": len(snapshot.business_services),
            "dependencies": len(report.graph.edges),
            "incidents": len(snapshot.incidents),
            "unread_services": unread,
        },
        fetched_at=snapshot.taken_at,
        truncated=read.truncated,
        missing_permissions=read.missing_permissions,
        conclusive_codes=CODES if is_whole else (),
    )


def _entity(report: DependencyReport, key: ServiceKey) -> Entity:
    node = report.graph.nodes.get(key)
    kind = "service" if key.kind is ServiceKind.TECHNICAL else "business_service"
    return Entity(kind, key.id, report.name(key), node.html_url if node else None)


def _single_points(report: DependencyReport) -> Iterator[Finding]:
    """Yield a finding per service that took business services down with it; others are in the report."""
    by_service: Mapping[ServiceKey, list[SinglePoint]] = defaultdict(list)
    for point in report.points:
        if report.failures.get(point.service) and point.service.kind is ServiceKind.TECHNICAL:
            by_service[point.service].append(point)
    for key in sorted(by_service):
        yield _single_point(report, key, by_service[key])


def _single_point(report: DependencyReport, key: ServiceKey, points: Sequence[SinglePoint]) -> Finding:
    name = report.name(key)
    days = round(report.window.seconds / 86_400)
    longest = max(point.seconds for point in points)
    behind = sorted({other for point in points for other in point.behind})
    dependents = [point.business_service for point in points]
    why = [
        f"{services_named(report, behind[:MAX_LISTED])} reach them through {name} alone." if behind else "",
        f"All they depend on depends on {name}." if any(point.is_common_ground for point in points) else "",
    ]
    return Finding(
        code="single_point_of_failure",
        key=str(key),
        severity=FindingSeverity.MEDIUM if longest >= GRAVE_HOURS * 3600 else FindingSeverity.LOW,
        confidence=Confidence.MEDIUM,
        title=f"{name} is a single point of failure of {services_named(report, dependents[:3])}"
        + (f" and {len(dependents) - 3} more" if len(dependents) > 3 else ""),
        entities=tuple(_entity(report, other) for other in (key, *dependents[:MAX_LISTED])),
        evidence=(
            *(Evidence(words) for words in why if words),
            *(
                Evidence(
                    "It, or what lies behind it, had an open high-urgency incident for"
                    f" {hours(point.seconds):g} hours of {count_text(days, 'day')}, and so had"
                    f" {report.name(point.business_service)}.",
                    {
                        "business_service": point.business_service.id,
                        "hours": hours(point.seconds),
                        "behind": len(point.behind),
                        "is_articulation": point.is_articulation,
                    },
                )
                for point in points[:MAX_LISTED]
            ),
        ),
        recommendation="Give it spare capacity or a way around, or declare the one that exists as a service"
        " of its own. PagerDuty doesn't tell of redundancy inside a service.",
        expected_effect=f"At most {hours(longest):g} fewer hours of impact in {count_text(days, 'day')}.",
        how_to_verify="`calmo-pagerduty dependencies single-points` no longer lists it.",
        how_to_undo="Remove the dependency again in PagerDuty.",
    )


def _cycles(report: DependencyReport) -> Iterator[Finding]:
    for circle in report.cycles:
        names = services_named(report, circle[:MAX_LISTED])
        yield Finding(
            code="dependency_cycle",
            key=",".join(map(str, circle))[:400],
            severity=FindingSeverity.LOW,
            confidence=Confidence.HIGH,
            title=f"{count_text(len(circle), 'service')} depend on each other in a circle",
            entities=tuple(_entity(report, key) for key in circle[:MAX_LISTED]),
            evidence=(Evidence(f"Each of these depends on all others: {names}.", {"services": len(circle)}),),
            recommendation="Remove the dependency that isn't one: as it is, a failure of any of them is"
            " a failure of all.",
            expected_effect="Cause and effect can be told apart in incidents of these services.",
            how_to_verify="`calmo-pagerduty dependencies map --table` names no cycle.",
            how_to_undo="Add the dependency again in PagerDuty.",
        )


def _undeclared(report: DependencyReport) -> Iterator[Finding]:
    for proposal in report.proposals:
        yield _undeclared_dependency(report, proposal)


def _undeclared_dependency(report: DependencyReport, proposal: ProposedDependency) -> Finding:
    supporting, dependent = report.name(proposal.supporting), report.name(proposal.dependent)
    low, high = sorted((proposal.supporting, proposal.dependent))
    return Finding(
        code="undeclared_dependency",
        key=f"{low}:{high}",
        severity=FindingSeverity.INFO,
        confidence=Confidence.MEDIUM if proposal.p < 0.001 else Confidence.LOW,
        title=f"{dependent} seems to depend on {supporting}, and nobody declared it",
        entities=(_entity(report, proposal.dependent), _entity(report, proposal.supporting)),
        evidence=(
            Evidence(
                "Their incidents began within 30 minutes of each other"
                f" {count_text(len(proposal.pairs), 'time')};"
                f" chance alone brings {proposal.expected:.2g} (p = {proposal.p:.2g}, false discovery rate"
                f" {FALSE_DISCOVERY_RATE:.0%}). {supporting} began first"
                f" {count_text(proposal.began_first, 'time')}.",
                proposal_document(report, proposal),
            ),
        ),
        recommendation=f"If it is so, declare in PagerDuty that {dependent} depends on {supporting}; two"
        " services may also share a cause that is no service.",
        expected_effect="The map, impacts and searches for causes know of it.",
        how_to_verify="The next analysis has this finding no longer.",
        how_to_undo="Remove the dependency again in PagerDuty.",
    )
