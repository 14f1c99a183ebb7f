"""Make right what differs: put what is missing into the inbox, and see it reach the timelines."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.deliveries.derived_event_store import enqueue_derived_events
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutySnapshot
from calmo_pagerduty.reconciliation.rules import Difference, RestIncident, compare_incident, may_be_outdated
from calmo_pagerduty.reconciliation.store import BATCH_SIZE, LocalIncident, WebhookCoverage

#: How long nothing may arrive of what was added before the rest is called not healed.
SETTLE_SECONDS = 60.0
POLL_SECONDS = 0.25

#: Reads one incident's picture anew into what was told. Raises PagerDutyError.
RefetchIncident = Callable[[str, PagerDutySnapshot], Awaitable[None]]


@dataclass(slots=True)
class ReconcileCounts:
    """What was found and done."""

    incidents: int = 0
    drift: Counter[str] = field(default_factory=Counter)
    differed: set[str] = field(default_factory=set)
    opened: int = 0
    added: int = 0
    failed: set[str] = field(default_factory=set)


class IncidentReconciler:
    """One comparison of what PagerDuty told with what we hold."""

    def __init__(
        self, database: Database, connection_id: str, snapshot: PagerDutySnapshot, look_again: RefetchIncident
    ) -> None:
        self._database = database
        self._connection_id = connection_id
        self._told = snapshot
        self._look_again = look_again
        #: Of incidents that were looked at again: as of when the issue was before.
        self._seen_as_of: dict[str, datetime | None] = {}
        self._mended: set[str] = set()
        self._result = ReconcileCounts(incidents=len(snapshot.incidents))

    async def run(self) -> ReconcileCounts:
        """Compare, add, wait until it has arrived, and compare again.

        Raises StoreUnavailable, PagerDutyError.
        """
        reach = await self._database.read(
            lambda t: reconciliations.get_webhook_coverage(t, self._connection_id)
        )
        left = set(self._told.incidents)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            before = len(left)
            for ids in batches(sorted(left)):
                left -= await self._compare_batch(ids, reach)
            if len(left) < before:
                deadline = time.monotonic() + SETTLE_SECONDS
            if not left or time.monotonic() > deadline:
                break
            # Webhooks of these are on their way, or what was added is.
            await asyncio.sleep(POLL_SECONDS)
        self._result.failed |= left
        return self._result

    async def _compare_batch(self, ids: Sequence[str], reach: WebhookCoverage) -> set[str]:
        """Return those with which nothing remains to be done."""
        held = await self._database.read(
            lambda t: reconciliations.get_local_incidents(t, self._connection_id, ids)
        )
        done: set[str] = set()
        right: list[str] = []
        wanting: dict[str, Difference] = {}
        for incident_id, ours in held.items():
            picture = self._told.incidents.get(incident_id)
            if picture is None:
                # It was there, and isn't any more: there is nothing to compare with.
                done.add(incident_id)
                continue
            if ours.is_in_flight:
                continue
            if not is_covered(picture, ours, reach):
                done.add(incident_id)
                continue
            entries = self._told.entries.get(incident_id, ())
            found = compare_incident(picture, entries, ours.issue, ours.timeline_events)
            if found.fields and await self._is_refetched(picture, ours.issue):
                continue
            if not found.derived_events:
                right.append(incident_id)
            elif incident_id in self._mended:
                self._result.failed.add(incident_id)
                done.add(incident_id)
            else:
                wanting[incident_id] = found
        await self._enqueue_events(right, wanting)
        return done.union(right)

    async def _is_refetched(self, rest_incident: RestIncident, issue: Issue | None) -> bool:
        """Look again where a webhook may have told something newer than the picture, until none came
        between the two: PagerDuty is read at one moment and our issue at another.
        """
        if issue is None or not may_be_outdated(rest_incident, issue):
            return False
        incident_id, as_of = rest_incident.incident_id, issue.as_of
        if incident_id in self._seen_as_of and self._seen_as_of[incident_id] == as_of:
            return False
        self._seen_as_of[incident_id] = as_of
        await self._look_again(incident_id, self._told)
        return True

    async def _enqueue_events(self, right: Sequence[str], wanting: dict[str, Difference]) -> None:
        if not right and not wanting:
            return
        now = datetime.now(UTC)

        def write(tx: Transaction) -> int:
            reconciliations.mark_reconciled(tx, self._connection_id, right)
            return sum(
                enqueue_derived_events(tx, self._connection_id, incident_id, diff.derived_events, now)
                for incident_id, diff in wanting.items()
            )

        self._result.added += await self._database.write(write)
        for incident_id, diff in wanting.items():
            self._mended.add(incident_id)
            self._result.opened += diff.is_new
            if diff.fields:
                self._result.drift.update(("missing",) if diff.is_new else diff.fields)
                self._result.differed.add(incident_id)


def is_covered(rest_incident: RestIncident, ours: LocalIncident, reach: WebhookCoverage) -> bool:
    """Tell whether we hold it, or a webhook should have brought it."""
    shown = rest_incident.snapshot
    service_id = shown.service.id if shown.service else None
    return ours.issue is not None or reach.covers(service_id, [team.id for team in shown.teams])


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield as many at a time as one question to the database is about."""
    for start in range(0, len(ids), BATCH_SIZE):
        yield ids[start : start + BATCH_SIZE]
