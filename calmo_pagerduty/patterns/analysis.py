"""The analysis of patterns: from a snapshot to figures and findings. Pure."""

from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, in_order
from calmo_pagerduty.patterns.document import patterns_document
from calmo_pagerduty.patterns.findings import CODES, pattern_findings
from calmo_pagerduty.patterns.report import PatternReport, pattern_report
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName

ANALYSIS = "patterns"
VERSION = 1
_SECTIONS = (SectionName.SERVICES, SectionName.INCIDENTS, SectionName.LOG_ENTRIES)


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return the patterns of the last 90 days. Times are epoch seconds (UTC)."""
    return result_of(pattern_report(snapshot, now), now)


def result_of(report: PatternReport, now: int) -> AnalysisResult:
    """Return a report as an analysis's result."""
    past = report.past
    read = past.snapshot.completeness(_SECTIONS)
    is_whole = not past.problem and read.complete.issuperset(_SECTIONS)
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=past.snapshot.id,
        now=now,
        window=past.window,
        time_zone="Etc/UTC",
        inputs=AnalysisInputs(
            counts={"services": len(past.snapshot.services), "incidents": len(past.incidents)},
            fetched_at=past.snapshot.taken_at,
            truncated=read.truncated,
            missing_permissions=read.missing_permissions,
            conclusive_codes=CODES if is_whole else (),
        ),
        metrics=patterns_document(report),
        findings=in_order(pattern_findings(report)),
    )
