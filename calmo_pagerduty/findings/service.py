"""Record results of analyses: findings and the issues that they open follow, in one transaction."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import store
from calmo_pagerduty.findings.issue_store import update_issue
from calmo_pagerduty.findings.lifecycle import (
    Change,
    FindingEventKind,
    StoredFinding,
    change_when_found,
    change_when_gone,
    is_conclusive,
)
from calmo_pagerduty.findings.model import AnalysisResult, Finding
from calmo_pagerduty.findings.rows import instant
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import Scope

#: A result for a later moment than this from now asks "what if"; it says nothing about the present.
CLOCK_TOLERANCE = timedelta(minutes=10)


class UnknownConnection(ExplainedError):
    """There is no such connection."""


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """What recording a result did. `is_new` is False if the same result was recorded before.

    `is_current` is False if a newer result of the analysis was recorded before, or if the result is for
    another time than the present: it is stored, and findings stay as they are. `counts` is by event kind.
    """

    analysis: str
    result_id: int
    digest: str
    is_new: bool
    is_current: bool
    counts: Mapping[str, int] = field(default_factory=dict)


class FindingService:
    """Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, connection_id: str, *results: AnalysisResult) -> tuple[RecordedResult, ...]:
        """Record results, and bring the findings in line with them: all or nothing, and only once.

        Raises UnknownConnection.
        """
        recorded_at = datetime.now(UTC)
        return await self._database.write(lambda tx: record_results(tx, connection_id, results, recorded_at))


def record_results(
    tx: Transaction, connection_id: str, results: tuple[AnalysisResult, ...], recorded_at: datetime
) -> tuple[RecordedResult, ...]:
    """As `FindingService.record`, within a transaction. Raises UnknownConnection."""
    scope = store.get_locked_scope(tx, connection_id)
    if scope is None:
        raise UnknownConnection(f"there is no connection {connection_id!r}")
    return tuple(_record(tx, connection_id, scope, result, recorded_at) for result in results)


def _record(
    tx: Transaction, connection_id: str, scope: Scope, result: AnalysisResult, recorded_at: datetime
) -> RecordedResult:
    at, present = instant(result.now), recorded_at + CLOCK_TOLERANCE
    newest = store.get_newest_result_time(tx, connection_id, result.analysis, present)
    inserted = store.insert_result(tx, connection_id, result, recorded_at)
    is_current = at <= present and (newest is None or newest <= at)
    counts: Counter[str] = Counter()
    if inserted.is_new and is_current:
        counts = _Recording(tx, connection_id, scope, result, inserted.id).apply()
    return RecordedResult(
        result.analysis,
        inserted.id,
        inserted.digest,
        inserted.is_new,
        is_current,
        dict(sorted(counts.items())),
    )


class _Recording:
    """Brings the findings of one analysis, and the issues that they opened, in line with a result."""

    def __init__(
        self, tx: Transaction, connection_id: str, scope: Scope, result: AnalysisResult, result_id: int
    ) -> None:
        self._tx = tx
        self._connection_id = connection_id
        self._scope = scope
        self._result = result
        self._result_id = result_id
        self._at = instant(result.now)
        self._counts: Counter[str] = Counter()

    def apply(self) -> Counter[str]:
        before = {
            (stored.finding.code, stored.finding.key): stored
            for stored in store.list_findings_of_analysis(
                self._tx, self._connection_id, self._result.analysis
            )
        }
        found = {(finding.code, finding.key): finding for finding in reversed(self._result.findings)}
        for identity, finding in sorted(found.items()):
            self._found(before.get(identity), finding)
        for identity, stored in before.items():
            if identity not in found and is_conclusive(self._result, stored.finding):
                self._gone(stored)
        return self._counts

    def _found(self, stored: StoredFinding | None, finding: Finding) -> None:
        if stored is None:
            new = store.insert_finding(
                self._tx, self._connection_id, self._result.analysis, finding, self._at
            )
            self._tell(new, Change(new.state, FindingEventKind.FOUND))
            return
        change = change_when_found(stored, finding.severity)
        self._tell(store.update_found(self._tx, stored, finding, change, self._at), change)

    def _gone(self, stored: StoredFinding) -> None:
        change = change_when_gone(stored, self._result.now)
        self._tell(store.update_gone(self._tx, stored, change, self._at), change)

    def _tell(self, stored: StoredFinding, change: Change) -> None:
        """Write what happened into the finding's history and onto its issue."""
        number = 0
        if change.kind is not None:
            number = store.insert_event(
                self._tx, stored, change.kind, self._at, reason=change.reason, result_id=self._result_id
            )
            self._counts[change.kind] += 1
        update_issue(self._tx, self._scope, stored, change, number, self._at)
