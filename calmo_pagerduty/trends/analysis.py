"""The analyses of trends and of capacity: from a snapshot to figures and findings. Pure."""

from collections.abc import Iterable

from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, Finding, in_order
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName
from calmo_pagerduty.trends.capacity import capacity_of
from calmo_pagerduty.trends.document import capacity_document, trends_document
from calmo_pagerduty.trends.findings import capacity_findings, trend_findings
from calmo_pagerduty.trends.report import trend_report

TRENDS = "trends"
CAPACITY = "capacity"
VERSION = 1
_TREND_SECTIONS = (SectionName.SERVICES, SectionName.TEAMS, SectionName.INCIDENTS)
_CAPACITY_SECTIONS = (
    *_TREND_SECTIONS,
    SectionName.SCHEDULES,
    SectionName.POLICIES,
    SectionName.LOG_ENTRIES,
)


def analyse_trends(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return how incidents develop. Times are epoch seconds (UTC); weeks and hours are each service's own."""
    report = trend_report(snapshot, now)
    return _result(
        TRENDS,
        snapshot,
        now,
        report.observed.window,
        _TREND_SECTIONS,
        trends_document(report),
        trend_findings(report),
    )


def analyse_capacity(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return whether the people on call can bear the incidents, and until when."""
    capacity = capacity_of(snapshot, now)
    return _result(
        CAPACITY,
        snapshot,
        now,
        capacity.window,
        _CAPACITY_SECTIONS,
        capacity_document(capacity),
        capacity_findings(capacity),
    )


def _result(
    analysis: str,
    snapshot: AccountSnapshot,
    now: int,
    window: Span,
    names: tuple[SectionName, ...],
    metrics: JsonObject,
    findings: Iterable[Finding],
) -> AnalysisResult:
    read = snapshot.completeness(names)
    return AnalysisResult(
        analysis=analysis,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=window,
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=AnalysisInputs(
            counts={"services": len(snapshot.services), "incidents": len(snapshot.incidents)},
            fetched_at=snapshot.taken_at,
            truncated=read.truncated,
            missing_permissions=read.missing_permissions,
        ),
        metrics=metrics,
        findings=in_order(findings),
    )
