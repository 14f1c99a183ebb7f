"""Delete data whose retention time has passed. A lease lets a single process sweep at a time."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.contexts.sources import CHANGE_LOOKBACK, INCIDENT_LOOKBACK
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.retention.store import DeleteBatch, DeletedBatch

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
LEASE = "retention"
LEASE_TTL = timedelta(minutes=5)
#: The pause between two transactions, so that the receiver's writes go first.
BATCH_PAUSE_SECONDS = 0.02
#: Objects of the account cache that no context used for this long are deleted.
MAX_UNUSED_AGE = timedelta(days=30)
#: Requests for cover tell of people's nights: they are kept for a quarter after the time to cover.
MAX_COVER_REQUEST_AGE = timedelta(days=90)


class RetentionSweeper:
    """Deletes old bodies (`keep_bodies`), old rows (`keep_ids`) and unused cached objects and snapshots."""

    def __init__(self, database: Database, holder: str, keep_bodies: timedelta, keep_ids: timedelta) -> None:
        self._database = database
        self._holder = holder
        #: A delivery's row is never deleted before its body.
        ids = max(keep_ids, keep_bodies)
        self._deletions: tuple[tuple[str, DeleteBatch, timedelta], ...] = (
            ("bodies", retention.delete_bodies, keep_bodies),
            ("calls", retention.delete_call_contents, keep_bodies),
            ("dead_letters", retention.delete_dead_letter_payloads, keep_bodies),
            ("deliveries", retention.delete_deliveries, ids),
            ("refusals", retention.delete_refusals, ids),
            ("past_incidents", retention.delete_cached_incidents, INCIDENT_LOOKBACK),
            ("past_changes", retention.delete_cached_changes, CHANGE_LOOKBACK),
            ("account_objects", retention.delete_cached_objects, MAX_UNUSED_AGE),
            ("oncall_runs", retention.delete_oncall_runs, ids),
            ("analysis_results", retention.delete_analysis_results, ids),
            ("oncall_digests", retention.delete_digests, ids),
            ("absence_calendars", retention.delete_absence_calendars, MAX_COVER_REQUEST_AGE),
            ("cover_requests", retention.delete_cover_requests, MAX_COVER_REQUEST_AGE),
            # Their own rules say how old they get.
            ("sessions", retention.delete_sessions, timedelta()),
            ("account_snapshots", retention.delete_account_snapshots, timedelta()),
        )

    async def run(self) -> None:
        """Delete what is past its time, again and again, until cancelled."""
        while True:
            try:
                await self.sweep_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("retention_failed", extra={"error": str(error)})
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep_once(self, now: datetime) -> dict[str, int]:
        """Delete what is due at `now` (UTC). Return the number of rows by kind. Raises StoreUnavailable."""
        counts: dict[str, int] = {}
        for name, delete, max_age in self._deletions:
            counts[name] = await self._delete_all(delete, now - max_age)
        if any(counts.values()):
            logger.info("retention", extra=counts)
        return counts

    async def _delete_all(self, delete: DeleteBatch, older_than: datetime) -> int:
        rows, after = 0, 0
        while True:
            deleted = await self._delete_batch(delete, after, older_than)
            rows += deleted.rows
            if deleted.next_after is None:
                return rows
            after = deleted.next_after
            await asyncio.sleep(BATCH_PAUSE_SECONDS)

    async def _delete_batch(self, delete: DeleteBatch, after: int, older_than: datetime) -> DeletedBatch:
        return await self._database.write(lambda t: self._delete_under_lease(t, delete, after, older_than))

    def _delete_under_lease(
        self, transaction: Transaction, delete: DeleteBatch, after: int, older_than: datetime
    ) -> DeletedBatch:
        if not leases.claim_lease(transaction, LEASE, self._holder, LEASE_TTL):
            return DeletedBatch(0, None)
        return delete(transaction, after, older_than)
