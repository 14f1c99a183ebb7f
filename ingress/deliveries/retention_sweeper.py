"""See to it that nothing is kept longer than promised: one process at a time, by a lease."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.contexts.sources import CHANGE_LOOKBACK, INCIDENT_LOOKBACK
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.retention.store import DeleteBatch, DeletedBatch

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
LEASE = "retention"
LEASE_TTL = timedelta(minutes=5)
#: Between two transactions, so that deliveries at the door go first.
BATCH_PAUSE_SECONDS = 0.02
#: What was remembered of an account, but not asked for in this time, is of no use to a context any more.
MAX_UNUSED_AGE = timedelta(days=30)


class RetentionSweeper:
    """Deletes in small transactions what is older than `keep_bodies` and `keep_ids`, or of no use."""

    def __init__(self, database: Database, holder: str, keep_bodies: timedelta, keep_ids: timedelta) -> None:
        self._database = database
        self._holder = holder
        #: A row of the log is never cut before its body.
        ids = max(keep_ids, keep_bodies)
        self._walks: tuple[tuple[str, DeleteBatch, timedelta], ...] = (
            ("bodies", retention.delete_bodies, keep_bodies),
            ("calls", retention.delete_call_contents, keep_bodies),
            ("dead_letters", retention.delete_dead_letter_payloads, keep_bodies),
            ("deliveries", retention.delete_deliveries, ids),
            ("refusals", retention.delete_refusals, ids),
            ("past_incidents", retention.delete_cached_incidents, INCIDENT_LOOKBACK),
            ("past_changes", retention.delete_cached_changes, CHANGE_LOOKBACK),
            ("account_objects", retention.delete_cached_objects, MAX_UNUSED_AGE),
        )

    async def run(self) -> None:
        while True:
            try:
                await self.sweep_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("retention_failed", extra={"error": str(error)})
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep_once(self, now: datetime) -> dict[str, int]:
        """Cut what has had its time; returns how many rows of which kind. Raises StoreUnavailable."""
        counts: dict[str, int] = {}
        for name, walk, kept in self._walks:
            counts[name] = await self._delete_all(walk, now - kept)
        if any(counts.values()):
            logger.info("retention", extra=counts)
        return counts

    async def _delete_all(self, walk: DeleteBatch, older_than: datetime) -> int:
        rows, after = 0, 0
        while True:
            cut = await self._delete_batch(walk, after, older_than)
            rows += cut.rows
            if cut.next_after is None:
                return rows
            after = cut.next_after
            await asyncio.sleep(BATCH_PAUSE_SECONDS)

    async def _delete_batch(self, walk: DeleteBatch, after: int, older_than: datetime) -> DeletedBatch:
        return await self._database.write(lambda t: self._step(t, walk, after, older_than))

    def _step(
        self, transaction: Transaction, walk: DeleteBatch, after: int, older_than: datetime
    ) -> DeletedBatch:
        if not leases.claim_lease(transaction, LEASE, self._holder, LEASE_TTL):
            return DeletedBatch(0, None)
        return walk(transaction, after, older_than)
