"""What the service holds in the end, against what PagerDuty sent: read from the database, no shortcuts."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.tables import dead_letters, deliveries, issue_changes, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from pagerduty_simulator.events import Event
from pagerduty_simulator.reference_fold import ExpectedIncident
from tests.support.eventually import eventually
from tests.support.patience import STORY

#: The mission's mapping, written down once more: the code's own table can't vouch for itself.
SEVERITY = {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info", "P5": "info", None: "medium"}


@dataclass(frozen=True, slots=True)
class KeptIssue:
    incident_id: str
    status: str
    priority: str | None
    severity: str
    needs_reconcile: bool
    #: In the order in which readers see it.
    timeline: tuple[str, ...]
    times: tuple[datetime, ...]
    #: How many events its changes name, all together.
    changed_by: int


@dataclass(frozen=True, slots=True)
class Books:
    """Everything kept: issues, the delivery log's states, how often things were sent again."""

    issues: tuple[KeptIssue, ...]
    states: Mapping[str, int]
    duplicates: int
    sent_again: int
    dead_letters: int

    @property
    def unfinished(self) -> int:
        return self.states.get("pending", 0) + self.states.get("forwarded", 0)


def read_books(database: Database) -> Books:
    return database.read_blocking(_read)


async def settled_books(database: Database) -> Books:
    """Wait until no delivery is unfinished, and return everything that is kept then."""

    async def read() -> Books:
        return await asyncio.to_thread(read_books, database)

    return await eventually(read, lambda books: books.unfinished == 0, STORY)


def _read(connection: Transaction) -> Books:
    in_order = sa.select(timeline).order_by(timeline.c.occurred_at, timeline.c.seq)
    entries: dict[str, list[tuple[str, datetime]]] = {}
    for row in connection.execute(in_order):
        entries.setdefault(row.issue_id, []).append((row.event_id, row.occurred_at))
    changed: Counter[str] = Counter()
    for row in connection.execute(sa.select(issue_changes)):
        changed[row.issue_id] += len(row.event_types)
    kept = tuple(
        KeptIssue(
            incident_id=row.incident_id,
            status=row.status,
            priority=row.priority,
            severity=row.severity,
            needs_reconcile=row.needs_reconcile,
            timeline=tuple(event_id for event_id, _ in entries.get(row.id, [])),
            times=tuple(at for _, at in entries.get(row.id, [])),
            changed_by=changed[row.id],
        )
        for row in connection.execute(sa.select(issues))
    )
    by_state = sa.select(deliveries.c.state, sa.func.count()).group_by(deliveries.c.state)
    sums = sa.select(sa.func.sum(deliveries.c.duplicates), sa.func.sum(deliveries.c.attempts))
    duplicates, attempts = connection.execute(sums).one()
    return Books(
        issues=kept,
        states={state: count for state, count in connection.execute(by_state)},
        duplicates=int(duplicates or 0),
        sent_again=int(attempts or 0),
        dead_letters=connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one(),
    )


def lost(books: Books, acknowledged: Mapping[str, str | None]) -> set[str]:
    """Return the events that were answered 2xx and are on no timeline."""
    return set(acknowledged) - {event_id for issue in books.issues for event_id in issue.timeline}


def doubled(books: Books) -> set[str]:
    """Return the events that are on a timeline twice, and incidents that are two issues or were
    changed more often than they have events.
    """
    entries = Counter(event_id for issue in books.issues for event_id in issue.timeline)
    incidents = Counter(issue.incident_id for issue in books.issues)
    found = {key for counts in (entries, incidents) for key, count in counts.items() if count > 1}
    return found | {issue.incident_id for issue in books.issues if issue.changed_by != len(issue.timeline)}


def wrong(books: Books, expected: Mapping[str, ExpectedIncident]) -> dict[str, str]:
    """Return, by incident, what differs from the reference fold."""
    kept = {issue.incident_id: issue for issue in books.issues}
    differences = {}
    for incident_id in expected.keys() | kept.keys():
        want, have = expected.get(incident_id), kept.get(incident_id)
        if want is None or have is None:
            differences[incident_id] = f"wanted {want}, have {have}"
            continue
        wanted = (want.status, want.priority, SEVERITY[want.priority], want.event_ids)
        if wanted != (have.status, have.priority, have.severity, frozenset(have.timeline)):
            differences[incident_id] = f"wanted {want}, have {have}"
    return differences


def disordered(books: Books, told: Sequence[Event]) -> list[str]:
    """Return the incidents whose timeline is not exactly the story as it happened.

    `told` is the story in the order of time, each event once.
    """
    stories: dict[str | None, list[tuple[str, datetime]]] = {}
    for event in told:
        stories.setdefault(event.incident_id, []).append((event.id, event.occurred_at))
    return [
        issue.incident_id
        for issue in books.issues
        if list(zip(issue.timeline, issue.times, strict=True)) != stories[issue.incident_id]
    ]
