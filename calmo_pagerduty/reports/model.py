"""What a report is about, and what it says. Times are epoch seconds (UTC)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.findings.lifecycle import StoredFinding
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.performance.report import Grouping, Question
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.tables import ReportTable


class ReportKind(StrEnum):
    WEEKLY_OPERATIONS = "weekly-operations"
    SERVICE_REVIEW = "service-review"
    ON_CALL_REVIEW = "on-call-review"
    RESPONSE_EFFECTIVENESS = "response-effectiveness"


@dataclass(frozen=True, slots=True)
class KindRow:
    """A kind: its title, what it is for, its usual days and grouping."""

    title: str
    about: str
    days: int
    grouping: Grouping


KINDS: Mapping[ReportKind, KindRow] = {
    ReportKind.WEEKLY_OPERATIONS: KindRow(
        "Weekly operations",
        "Incidents by day and service, how fast they were answered, and what is wrong now.",
        7,
        Grouping.SERVICE,
    ),
    ReportKind.SERVICE_REVIEW: KindRow(
        "Service review",
        "Services over a month: speed beside the month before, what became of incidents, trends.",
        30,
        Grouping.SERVICE,
    ),
    ReportKind.ON_CALL_REVIEW: KindRow(
        "On-call review",
        "Escalation policies over a month: incidents per shift, interruptions, escalations, coverage.",
        30,
        Grouping.POLICY,
    ),
    ReportKind.RESPONSE_EFFECTIVENESS: KindRow(
        "Effectiveness of response",
        "How fast teams answer and resolve, by PagerDuty's API and by the webhooks that Calmo received.",
        30,
        Grouping.TEAM,
    ),
}


@dataclass(frozen=True, slots=True)
class SeenIncident:
    """What webhooks told of an incident. `actions` were taken through Calmo."""

    incident_id: str
    created_at: int
    acknowledged_at: int | None
    actions: int


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What a report is made of. Findings are as the reader may see them."""

    snapshot: AccountSnapshot
    now: int
    question: Question
    findings: Sequence[StoredFinding]
    results: Sequence[AnalysisResult]
    seen: Sequence[SeenIncident]


@dataclass(frozen=True, slots=True)
class Section:
    """Some tables with their plots, and the definitions of their words."""

    tables: tuple[ReportTable, ...]
    figures: tuple[Figure, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeReport:
    """A report, stamped: who made it, when, for which scope, from which snapshot."""

    kind: ReportKind
    connection_id: str
    connection_name: str
    scope: str
    author: str
    made_at: int
    since: int
    until: int
    snapshot_id: str
    asked: str
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        return f"{KINDS[self.kind].title}: {self.connection_name}"
