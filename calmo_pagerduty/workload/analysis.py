"""The workload analysis: from a snapshot to findings, and figures of teams. Pure."""

from calmo_pagerduty.access.persons import NO_PERSONS
from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, in_order
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName
from calmo_pagerduty.workload.document import workload_document
from calmo_pagerduty.workload.findings import hours_findings, limit_findings, pages_findings
from calmo_pagerduty.workload.privacy import may_see
from calmo_pagerduty.workload.report import workload_report

ANALYSIS = "workload"
VERSION = 1
#: As far back as snapshots are rendered: the more pages, the more can be told from chance.
MAX_PAST_DAYS = 35
SECTIONS = (
    SectionName.SCHEDULES,
    SectionName.POLICIES,
    SectionName.USERS,
    SectionName.INCIDENTS,
    SectionName.LOG_ENTRIES,
)


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return what is unfair or unbearable. The metrics show teams; persons stand in findings about persons.

    Times are epoch seconds (UTC); each person's nights and weekends are those of the person's own zone.
    """
    report = workload_report(snapshot, now, past_days=MAX_PAST_DAYS)
    findings = [*hours_findings(report), *pages_findings(report), *limit_findings(report)]
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=Span(report.past.window.start, report.forward.window.end),
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=inputs_of(snapshot),
        metrics=workload_document(report, may_see(snapshot, NO_PERSONS)),
        findings=in_order(findings),
    )


def inputs_of(snapshot: AccountSnapshot) -> AnalysisInputs:
    """Return what a workload report rests on, and which sections were cut short or hidden."""
    sections = [section for section in snapshot.sections if section.name in SECTIONS]
    read = snapshot.completeness(SECTIONS)
    return AnalysisInputs(
        counts={
            "schedules": len(snapshot.schedules),
            "users": len(snapshot.users),
            "incidents": len(snapshot.incidents),
            "log_records": len(snapshot.log_records),
        },
        fetched_at=min((section.fetched_at for section in sections), default=snapshot.taken_at),
        truncated=read.truncated,
        missing_permissions=read.missing_permissions,
    )
