"""Repair drift: put derived events into the inbox, and wait until they reach the timelines."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.derived_event_store import enqueue_derived_events
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutySnapshot
from calmo_pagerduty.reconciliation.rules import Difference, RestIncident, compare_incident, may_be_outdated
from calmo_pagerduty.reconciliation.store import BATCH_SIZE, LocalIncident, WebhookCoverage

#: If no derived event arrives for this long, the remaining incidents count as failed.
SETTLE_SECONDS = 60.0
POLL_SECONDS = 0.25

#: Reads an incident's current state into the snapshot. Raises PagerDutyError.
RefetchIncident = Callable[[str, PagerDutySnapshot], Awaitable[None]]


@dataclass(slots=True)
class ReconcileCounts:
    """The counts of one comparison; `differed` and `failed` hold incident ids."""

    incidents: int = 0
    drift: Counter[str] = field(default_factory=Counter)
    differed: set[str] = field(default_factory=set)
    opened: int = 0
    added: int = 0
    failed: set[str] = field(default_factory=set)


class IncidentReconciler:
    """Compares one snapshot of PagerDuty with our issues, and repairs the drift."""

    def __init__(
        self, database: Database, connection_id: str, snapshot: PagerDutySnapshot, refetch: RefetchIncident
    ) -> None:
        self._database = database
        self._connection_id = connection_id
        self._snapshot = snapshot
        self._refetch = refetch
        #: Incident id → the issue's `as_of` before the incident was fetched again.
        self._refetched_as_of: dict[str, datetime | None] = {}
        self._repaired: set[str] = set()
        self._result = ReconcileCounts(incidents=len(snapshot.incidents))

    async def run(self) -> ReconcileCounts:
        """Compare, add the derived events, wait until they have arrived, and compare again.

        Raises StoreUnavailable, PagerDutyError.
        """
        coverage = await self._database.read(
            lambda tx: reconciliations.get_webhook_coverage(tx, self._connection_id)
        )
        remaining = set(self._snapshot.incidents)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            before = len(remaining)
            for ids in batches(sorted(remaining)):
                remaining -= await self._compare_batch(ids, coverage)
            if len(remaining) < before:
                deadline = time.monotonic() + SETTLE_SECONDS
            if not remaining or time.monotonic() > deadline:
                break
            # Their webhooks or their derived events are in flight.
            await asyncio.sleep(POLL_SECONDS)
        self._result.failed |= remaining
        return self._result

    async def _compare_batch(self, ids: Sequence[str], coverage: WebhookCoverage) -> set[str]:
        """Return the incidents that need nothing more."""
        local_incidents = await self._database.read(
            lambda tx: reconciliations.get_local_incidents(tx, self._connection_id, ids)
        )
        done: set[str] = set()
        equal: list[str] = []
        repairs: dict[str, Difference] = {}
        for incident_id, local in local_incidents.items():
            rest_incident = self._snapshot.incidents.get(incident_id)
            if rest_incident is None:
                # PagerDuty doesn't show it any more: there is nothing to compare with.
                done.add(incident_id)
                continue
            if local.is_in_flight:
                continue
            if not is_covered(rest_incident, local, coverage):
                done.add(incident_id)
                continue
            entries = self._snapshot.entries.get(incident_id, ())
            difference = compare_incident(rest_incident, entries, local.issue, local.timeline_events)
            if difference.fields and await self._is_refetched(rest_incident, local.issue):
                continue
            if not difference.derived_events:
                equal.append(incident_id)
            elif incident_id in self._repaired:
                self._result.failed.add(incident_id)
                done.add(incident_id)
            else:
                repairs[incident_id] = difference
        await self._enqueue_events(equal, repairs)
        return done.union(equal)

    async def _is_refetched(self, rest_incident: RestIncident, issue: Issue | None) -> bool:
        """Fetch the incident again if a webhook may have brought newer data than the snapshot's, until no
        webhook came in between: we read PagerDuty at one moment and our issue at another.
        """
        if issue is None or not may_be_outdated(rest_incident, issue):
            return False
        incident_id, as_of = rest_incident.incident_id, issue.as_of
        if incident_id in self._refetched_as_of and self._refetched_as_of[incident_id] == as_of:
            return False
        self._refetched_as_of[incident_id] = as_of
        await self._refetch(incident_id, self._snapshot)
        return True

    async def _enqueue_events(self, equal: Sequence[str], repairs: dict[str, Difference]) -> None:
        if not equal and not repairs:
            return
        now = datetime.now(UTC)

        def write(tx: Transaction) -> int:
            reconciliations.mark_reconciled(tx, self._connection_id, equal)
            return sum(
                enqueue_derived_events(tx, self._connection_id, incident_id, diff.derived_events, now)
                for incident_id, diff in repairs.items()
            )

        self._result.added += await self._database.write(write)
        for incident_id, diff in repairs.items():
            self._repaired.add(incident_id)
            self._result.opened += diff.is_new
            if diff.fields:
                self._result.drift.update(("missing",) if diff.is_new else diff.fields)
                self._result.differed.add(incident_id)


def is_covered(rest_incident: RestIncident, local: LocalIncident, coverage: WebhookCoverage) -> bool:
    """Return True if we have an issue for the incident, or a webhook should have delivered it."""
    snapshot = rest_incident.snapshot
    service_id = snapshot.service.id if snapshot.service else None
    return local.issue is not None or coverage.covers(service_id, [team.id for team in snapshot.teams])


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield batches of at most BATCH_SIZE ids."""
    for start in range(0, len(ids), BATCH_SIZE):
        yield ids[start : start + BATCH_SIZE]
