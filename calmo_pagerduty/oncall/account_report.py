"""The page of an account: what all analyses say of it, what that rests on, what could not be seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.findings.codec import finding_document
from calmo_pagerduty.findings.lifecycle import StoredFinding, severity_rank
from calmo_pagerduty.findings.model import AnalysisResult, Finding, FindingSeverity
from calmo_pagerduty.findings.persons import finding_for
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.oncall.metrics_tables import Table, tables_of
from calmo_pagerduty.plots.svg import Figure


@dataclass(frozen=True, slots=True)
class Definition:
    """What an analysis measures, in words, and where that is defined."""

    title: str
    means: str
    source: str


#: By the name of the analysis. A test compares it with the analyses that run.
DEFINITIONS: Mapping[str, Definition] = {
    "coverage": Definition(
        "Coverage",
        "The share of time in which somebody is on call, by the union of shifts: overlaps count once. A gap"
        " of a policy is the time in which no level has anybody; PagerDuty then drops incidents. Expected"
        " dropped incidents are the service's own rate by hour of the week, times the gap's hours, without"
        " maintenance.",
        "PagerDuty's rendered schedules; rates from the account's own past incidents",
    ),
    "readiness": Definition(
        "Readiness",
        "Whether each person who can be on call would be reached, by enabled contact methods and notification"
        " rules. What PagerDuty does not tell is unknown, not good.",
        "PagerDuty's contact methods and notification rules",
    ),
    "escalation": Definition(
        "Escalation policies",
        "What is wrong with policies over time: the same person on successive levels, a single person"
        " overall, empty levels, rules that never page. Shares are of the window's time.",
        "PagerDuty's policies and rendered schedules; log entries as proof",
    ),
    "escalation_response": Definition(
        "Response to pages",
        "How long each level takes to acknowledge. Pages that moved on before an answer are right-censored,"
        " so that a slow level does not look fast. Intervals are 95 %.",
        "Kaplan and Meier (1958), Greenwood's variance, Wilson's interval; PagerDuty's log entries",
    ),
    "patterns": Definition(
        "Patterns",
        "What repeats in the last 90 days: alerts that flap, services that page without need, alerts to"
        " group. Each advice is replayed on the account's own past: pages it would have avoided and delayed.",
        "Wilson's interval (1927); PagerDuty's incidents and log entries",
    ),
    "workload": Definition(
        "Workload",
        "Hours, nights and interruptions of the people in each pool, in their own zones. Hours are judged as"
        " design, pages against what chance alone would bring. Persons are shown to whom may see them.",
        "PagerDuty's rendered schedules and log entries; Google's SRE book, chapter 11",
    ),
    "scheduling": Definition(
        "Better schedules",
        "How much fairer one, two or three moves of shifts would make a schedule that is uneven by design,"
        " and what the best possible schedule would reach. Proposals only; nothing is changed.",
        "exhaustive search of moves and a mixed-integer optimum (HiGHS), on PagerDuty's rendered schedules",
    ),
    "trends": Definition(
        "Trends",
        "Whether a service's incidents come more often, at a false discovery rate of 5 % over all services;"
        " no trend is an answer. A forecast is shown only if it beat simple ones in back-tests.",
        "Laplace, MIL-HDBK-189 and Pitman's tests, CUSUM, rolling-origin forecasts; PagerDuty's incidents",
    ),
    "rate_watch": Definition(
        "Watch for sudden rises",
        "A CUSUM of each service's incidents, on the incidents as they come, for twice the rate before. Its"
        " mean time to a false alarm stands beside each alarm.",
        "Page (1954), Brook and Evans (1972); the incidents that Calmo received",
    ),
    "capacity": Definition(
        "Capacity",
        "Incidents and engaged hours of services and teams, and each policy's incidents per shift of"
        " twelve hours beside the limit of two: when it will be reached, with an interval, or no trend.",
        "Google's SRE book, chapter 11; Garwood's interval; PagerDuty's incidents and log entries",
    ),
    "dependencies": Definition(
        "Service dependencies",
        "Which services depend on which, and what took business services down: the union of the times in"
        " which anything they depend on had an open high-urgency incident. A single point of failure is a"
        " service through which alone others reach a business service.",
        "PagerDuty's service dependencies and incidents; dominators of the graph",
    ),
}


@dataclass(frozen=True, slots=True)
class AnalysisPart:
    """One analysis: its result's figures and what they rest on. `counts` are the numbers of objects read."""

    analysis: str
    version: int
    digest: str
    definition: Definition
    now: int
    window: Span
    snapshot_id: str
    counts: Mapping[str, int]
    finding_count: int
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    id: int
    state: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account's page, stamped: who made it, when, for whose eyes, from which snapshot. Epoch seconds."""

    connection_id: str
    connection_name: str
    scope: str
    author: str
    made_at: int
    time_zone: str
    limits: tuple[str, ...]
    findings: tuple[ReportedFinding, ...]
    parts: tuple[AnalysisPart, ...]
    figures: tuple[Figure, ...] = ()

    def count(self, severity: FindingSeverity) -> int:
        return sum(reported.finding.severity is severity for reported in self.findings)


def report_findings(
    stored: Iterable[StoredFinding], persons: PersonVisibility
) -> tuple[ReportedFinding, ...]:
    """Return open findings as this reader may see them, the worst first."""
    ranked = sorted(
        stored,
        key=lambda item: (
            severity_rank(item.finding.severity),
            -(item.finding.expected_dropped_incidents or 0.0),
            item.id,
        ),
    )
    return tuple(
        ReportedFinding(item.id, item.state.value, finding_for(item.finding, persons)) for item in ranked
    )


def report_part(result: AnalysisResult, digest: str, names: Mapping[str, str]) -> AnalysisPart:
    """Return the part of one result. `names` gives names for PagerDuty's ids."""
    unknown = Definition(result.analysis.replace("_", " ").capitalize(), "", "")
    return AnalysisPart(
        analysis=result.analysis,
        version=result.version,
        digest=digest,
        definition=DEFINITIONS.get(result.analysis, unknown),
        now=result.now,
        window=result.window,
        snapshot_id=result.snapshot_id,
        counts=result.inputs.counts,
        finding_count=len(result.findings),
        tables=tables_of(result.metrics, names),
    )


def result_limits(results: Sequence[AnalysisResult]) -> list[str]:
    """Return what the analyses could not see, in words."""
    limits = [] if results else ["no analysis has run yet"]
    for result in results:
        if result.inputs.missing_permissions:
            names = ", ".join(result.inputs.missing_permissions)
            limits.append(f"{result.analysis}: PagerDuty did not let us read {names}")
        if result.inputs.truncated:
            limits.append(f"{result.analysis}: incomplete: {', '.join(result.inputs.truncated)}")
    return limits


def report_document(report: AccountReport) -> JsonObject:
    """Return the report as JSON, without its plots. Times are epoch seconds."""
    return {
        "connection_id": report.connection_id,
        "connection_name": report.connection_name,
        "scope": report.scope,
        "author": report.author,
        "made_at": report.made_at,
        "time_zone": report.time_zone,
        "limits": list(report.limits),
        "findings": [
            {"id": item.id, "state": item.state, "finding": finding_document(item.finding)}
            for item in report.findings
        ],
        "analyses": [
            {
                "analysis": part.analysis,
                "version": part.version,
                "digest": part.digest,
                "now": part.now,
                "window": list(part.window),
                "snapshot_id": part.snapshot_id,
                "counts": dict(part.counts),
                "findings": part.finding_count,
                "definition": part.definition.means,
                "source": part.definition.source,
            }
            for part in report.parts
        ],
    }
