"""Makes post-incident reports from what is stored, and keeps what people add to them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from calmo_pagerduty.access.permissions import DELIVERIES_READ
from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.incident_log_queries import GatheredLogEntry, list_gathered_log_entries
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import action_store as operations, queries as issue_queries
from calmo_pagerduty.incidents.incident_replay import IncidentReplay
from calmo_pagerduty.incidents.incident_replay_service import IncidentReplayer
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.post_incident import store
from calmo_pagerduty.post_incident.model import (
    MAX_ADDITIONS,
    LogFact,
    PartName,
    PostIncidentInput,
    PostIncidentReport,
    ReportAddition,
)
from calmo_pagerduty.post_incident.report import make_report
from calmo_pagerduty.snapshots.model import AccountSnapshot, LogRecord
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable

MAX_OPERATIONS = 200


class TooManyAdditions(ExplainedError):
    """The issue's report has as many additions as it may have."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What one transaction reads of an issue."""

    issue: Issue
    given: PostIncidentInput
    gathered: tuple[GatheredLogEntry, ...]
    gathered_at: datetime | None


class PostIncidentService:
    """Every method raises StoreUnavailable."""

    def __init__(self, database: Database, snapshots: SnapshotReader, replayer: IncidentReplayer) -> None:
        self._database = database
        self._snapshots = snapshots
        self._replayer = replayer

    async def make(self, principal: Principal, issue_id: str) -> PostIncidentReport | None:
        """Return the report as the principal may see it; None if there is no such issue."""
        stored = await self._database.read(
            lambda tx: self._read(tx, principal, issue_id), principal.visibility
        )
        if stored is None:
            return None
        try:
            connection_id = stored.issue.ref.connection_id
            snapshot = await self._snapshots.get(principal.visibility, connection_id)
        except (SnapshotNotFound, SnapshotUnreadable):
            snapshot = None
        return make_report(_with_log(stored, snapshot, principal.persons))

    async def add(
        self, principal: Principal, issue_id: str, part: PartName, text: str
    ) -> ReportAddition | None:
        """Keep an addition; None if there is no such issue. Raises TooManyAdditions."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> ReportAddition | None:
            if issue_queries.get_issue(tx, principal.visibility, issue_id) is None:
                return None
            added = store.insert_addition(tx, issue_id, part, principal.who, text, now)
            if added is None:
                raise TooManyAdditions(f"the report has {MAX_ADDITIONS} additions, which is the most")
            return added

        return await self._database.write(write, seen_by=principal.visibility)

    def _read(self, tx: Transaction, principal: Principal, issue_id: str) -> _Stored | None:
        issue = issue_queries.get_issue(tx, principal.visibility, issue_id)
        if issue is None:
            return None
        version = contexts.get_version(tx, principal.visibility, issue_id)
        document = None if version is None else version.document
        context = None if document is None else IncidentContext.model_validate(document)
        given = PostIncidentInput(
            issue=issue,
            timeline=issue_queries.list_timeline(tx, issue),
            operations=tuple(reversed(operations.list_operations(tx, issue_id, MAX_OPERATIONS))),
            replay=self._replay(tx, principal, issue),
            context=context,
            additions=store.list_additions(tx, issue_id),
        )
        return _Stored(
            issue, given, list_gathered_log_entries(tx, issue), None if context is None else context.begun_at
        )

    def _replay(self, tx: Transaction, principal: Principal, issue: Issue) -> IncidentReplay | None:
        if DELIVERIES_READ not in principal.permissions:
            return None
        return self._replayer.replay(tx, principal.visibility, issue)


def _with_log(
    stored: _Stored, snapshot: AccountSnapshot | None, persons: PersonVisibility
) -> PostIncidentInput:
    """Return the input with the log of the context and of the snapshot, each entry once, and names."""
    facts = {entry.id: _gathered_fact(entry) for entry in stored.gathered}
    read_at = [stored.gathered_at] if stored.gathered and stored.gathered_at else []
    records = () if snapshot is None else snapshot.log_records
    for record in records:
        if record.incident_id == stored.issue.ref.incident_id:
            facts[record.id] = _snapshot_fact(record)
    if snapshot is not None and any(fact.id in facts for fact in records):
        read_at.append(datetime.fromtimestamp(snapshot.taken_at, UTC))
    return replace(
        stored.given,
        log=tuple(sorted(facts.values(), key=lambda fact: (fact.at, fact.id))),
        log_until=max(read_at, default=None),
        names={person: name for person, name in _names(stored, snapshot) if persons.admits((person,))},
    )


def _gathered_fact(entry: GatheredLogEntry) -> LogFact:
    return LogFact(
        id=entry.id,
        kind=entry.kind,
        at=entry.at,
        agent_id=entry.agent.id if entry.agent else None,
        people=tuple(person.id for person in entry.people),
    )


def _snapshot_fact(record: LogRecord) -> LogFact:
    return LogFact(
        id=record.id,
        kind=record.kind,
        at=datetime.fromtimestamp(record.at, UTC),
        agent_id=record.agent_id,
        people=record.user_ids,
        channel=record.channel,
        by_timeout=record.by_timeout,
    )


def _names(stored: _Stored, snapshot: AccountSnapshot | None) -> Iterator[tuple[str, str]]:
    for entry in stored.gathered:
        for person in entry.people:
            yield person.id, person.name or person.id
    for user in () if snapshot is None else snapshot.users:
        yield user.id, user.name
