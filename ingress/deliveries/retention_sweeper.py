"""Delete data whose retention time has passed. A lease lets a single process sweep at a time."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.retention.bounds import MAX_AGES, Deletion, Periods
from calmo_pagerduty.retention.store import DeleteBatch, DeletedBatch

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
LEASE = "retention"
LEASE_TTL = timedelta(minutes=5)
#: The pause between two transactions, so that the receiver's writes go first.
BATCH_PAUSE_SECONDS = 0.02


class RetentionSweeper:
    """Deletes what is past its time: `calmo_pagerduty.retention.bounds`."""

    def __init__(self, database: Database, keyring: Keyring, holder: str, periods: Periods) -> None:
        self._database = database
        self._holder = holder
        self._periods = periods
        self._deletions = {**retention.DELETIONS, Deletion.AUDIT: retention.cut_audit(keyring)}

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
        for deletion in Deletion:
            older_than = now - MAX_AGES[deletion](self._periods)
            counts[deletion] = await self._delete_all(self._deletions[deletion], older_than)
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
