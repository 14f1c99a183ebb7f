"""Load what a report is made of, and make it."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import queries as findings
from calmo_pagerduty.findings.lifecycle import OPEN_STATES, StoredFinding
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.persons import finding_for
from calmo_pagerduty.findings.queries import FindingFilter
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.performance.report import DAY, Grouping, Question, Scope, period
from calmo_pagerduty.reports.model import KINDS, MadeReport, ReportInputs, ReportKind, SeenIncident
from calmo_pagerduty.reports.queries import get_report, list_seen_incidents
from calmo_pagerduty.reports.sections import make_sections
from calmo_pagerduty.snapshots.service import SnapshotReader

MAX_FINDINGS = 200


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """What is asked for; None is as usual for the kind. Times are epoch seconds (UTC)."""

    kind: ReportKind
    since: int | None = None
    until: int | None = None
    grouping: Grouping | None = None
    scope: Scope = field(default_factory=Scope)
    #: How long the window is if `since` is None.
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """For whose eyes a report is made, and under which name."""

    who: str
    visibility: Visibility
    persons: PersonVisibility


class ReportService:
    """Every method raises StoreUnavailable, SnapshotNotFound, SnapshotUnreadable."""

    def __init__(self, database: Database, snapshots: SnapshotReader) -> None:
        self._database = database
        self._snapshots = snapshots

    async def get_kept(self, reader: Reader, connection_id: str, report_id: str) -> MadeReport | None:
        """Return a kept report; None if the reader sees no such report of this connection."""
        visibility = reader.visibility
        return await self._database.read(
            lambda tx: get_report(tx, visibility, connection_id, report_id), visibility
        )

    async def make(self, reader: Reader, connection_id: str, order: ReportOrder) -> MadeReport | None:
        """Return the report; None if the reader sees no such connection. Raises InvalidPeriod."""
        visibility, persons = reader.visibility, reader.persons
        snapshot = await self._snapshots.get(visibility, connection_id)
        now = int(datetime.now(UTC).timestamp())
        kind = KINDS[order.kind]
        known_until = min(now, snapshot.taken_at)
        usual = Span(known_until - (order.seconds or kind.days * DAY), known_until)
        question = Question(
            period(order.since, order.until, usual), order.grouping or kind.grouping, order.scope
        )
        open_ones = FindingFilter(states=tuple(OPEN_STATES), connections=(connection_id,))

        def read(
            tx: Transaction,
        ) -> tuple[Connection | None, list[StoredFinding], list[AnalysisResult], tuple[SeenIncident, ...]]:
            page = findings.list_findings(tx, visibility, persons, open_ones, MAX_FINDINGS)
            newest = findings.list_newest_results(tx, visibility, connection_id)
            return (
                connections.get_connection(tx, visibility, connection_id),
                [replace(item, finding=finding_for(item.finding, persons)) for item in page.findings],
                [stored.result for stored in newest],
                list_seen_incidents(tx, visibility, connection_id, question.window),
            )

        connection, found, results, seen = await self._database.read(read, visibility)
        if connection is None:
            return None
        inputs = ReportInputs(snapshot, now, question, found, results, seen)
        return MadeReport(
            kind=order.kind,
            connection_id=connection.id,
            connection_name=connection.name,
            scope=str(connection.scope),
            author=reader.who,
            made_at=now,
            since=question.window.start,
            until=question.window.end,
            snapshot_id=snapshot.id,
            asked=_asked(question),
            sections=await asyncio.to_thread(make_sections, order.kind, inputs),
        )


def _asked(question: Question) -> str:
    """Return what was asked, in words: the grouping and each filter."""
    scope = question.scope
    parts = [f"by {question.grouping}"]
    parts += [f"urgency {scope.urgency}"] if scope.urgency else []
    named = (("service", scope.service_ids), ("team", scope.team_ids), ("policy", scope.policy_ids))
    parts += [f"{name} {', '.join(ids)}" for name, ids in named if ids]
    return ", ".join(parts) if len(parts) > 1 else f"{parts[0]}, all incidents"
