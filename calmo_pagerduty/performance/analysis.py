"""The performance as the result of an analysis, with what it rests on. Pure."""

from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult
from calmo_pagerduty.performance.document import performance_document
from calmo_pagerduty.performance.report import Question, performance_of
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName

PERFORMANCE = "performance"
VERSION = 1
_SECTIONS = (SectionName.INCIDENTS, SectionName.LOG_ENTRIES)


def analyse_performance(snapshot: AccountSnapshot, now: int, question: Question) -> AnalysisResult:
    """Return how fast groups answer and resolve. It has no findings. Times are epoch seconds (UTC)."""
    read = snapshot.completeness(_SECTIONS)
    return AnalysisResult(
        analysis=PERFORMANCE,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=question.window,
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=AnalysisInputs(
            counts={"services": len(snapshot.services), "incidents": len(snapshot.incidents)},
            fetched_at=snapshot.taken_at,
            truncated=read.truncated,
            missing_permissions=read.missing_permissions,
        ),
        metrics=performance_document(performance_of(snapshot, now, question)),
        findings=(),
    )
