"""The analysis of patterns: from a snapshot to figures and findings. Pure."""

from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, FindingSeverity
from calmo_pagerduty.patterns.document import patterns_document
from calmo_pagerduty.patterns.findings import CODES, pattern_findings
from calmo_pagerduty.patterns.report import PatternReport, pattern_report
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName, SectionState

ANALYSIS = "patterns"
VERSION = 1
_SECTIONS = (SectionName.SERVICES, SectionName.INCIDENTS, SectionName.LOG_ENTRIES)
_RANK = {severity: rank for rank, severity in enumerate(FindingSeverity)}


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return the patterns of the last 90 days. Times are epoch seconds (UTC)."""
    return result_of(pattern_report(snapshot, now), now)


def result_of(report: PatternReport, now: int) -> AnalysisResult:
    """Return a report as an analysis's result."""
    past = report.past
    sections = [section for section in past.snapshot.sections if section.name in _SECTIONS]
    hidden = {SectionState.FORBIDDEN, SectionState.NOT_IN_PLAN}
    cut = {SectionState.PARTIAL, SectionState.UNAVAILABLE}
    is_whole = not past.problem and all(section.state is SectionState.COMPLETE for section in sections)
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
            truncated=tuple(sorted(str(section.name) for section in sections if section.state in cut)),
            missing_permissions=tuple(
                sorted(str(section.name) for section in sections if section.state in hidden)
            ),
            conclusive_codes=CODES if is_whole else (),
        ),
        metrics=patterns_document(report),
        findings=tuple(
            sorted(pattern_findings(report), key=lambda item: (_RANK[item.severity], item.code, item.key))
        ),
    )
