"""The operator summary of an incident's context: the state of each source."""

from calmo_pagerduty.contexts.runs import ContextState, RunProgress
from calmo_pagerduty.contexts.sources import SOURCES
from calmo_pagerduty.kernel.incident_ref import IncidentRef

_STATE_TEXT = {
    ContextState.GATHERING: "is being **gathered**",
    ContextState.COMPLETE: "is **complete**",
    ContextState.FAILED: "**failed**: a fault of ours, see the log",
}


def operator_summary(ref: IncidentRef, progress: RunProgress) -> str:
    """Return the summary as Markdown. It holds no text from PagerDuty."""
    version = f"version {progress.version}" if progress.version else "the first version"
    why = ", ".join(progress.reasons) or "asked for"
    lines = [
        f"## Context of incident `{ref.incident_id}`, {version}, {_STATE_TEXT[progress.state]}",
        f"Issue `{ref.issue_id}`, connection `{ref.connection_id}`: {why}.",
        "",
        "| Source | State | Found | Requests | Seconds |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {SOURCES[source].title} | {report.state.replace('_', ' ')} | {report.count} | {report.requests} |"
        f" {report.seconds:.1f} |"
        for source, report in progress.sources.items()
    ]
    return "\n".join(lines)
