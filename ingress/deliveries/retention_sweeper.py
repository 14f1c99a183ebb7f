"""See to it that nothing is kept longer than promised: one process at a time, by a lease."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.contexts.sources import CHANGES_REACH, INCIDENTS_REACH
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.retention.store import Cut, Walk

logger = logging.getLogger(__name__)

LOOK_SECONDS = 600.0
LEASE = "retention"
LEASE_TTL = timedelta(minutes=5)
#: Between two transactions, so that deliveries at the door go first.
REST_SECONDS = 0.02
#: What was remembered of an account, but not asked for in this time, is of no use to a context any more.
UNASKED_FOR = timedelta(days=30)


class Retention:
    """Deletes in small transactions what is older than `keep_bodies` and `keep_ids`, or of no use."""

    def __init__(self, database: Database, holder: str, keep_bodies: timedelta, keep_ids: timedelta) -> None:
        self._database = database
        self._holder = holder
        #: A row of the log is never cut before its body.
        ids = max(keep_ids, keep_bodies)
        self._walks: tuple[tuple[str, Walk, timedelta], ...] = (
            ("bodies", retention.cut_bodies, keep_bodies),
            ("calls", retention.cut_calls, keep_bodies),
            ("dead_letters", retention.cut_dead_letters, keep_bodies),
            ("deliveries", retention.cut_deliveries, ids),
            ("refusals", retention.cut_refusals, ids),
            ("past_incidents", retention.cut_past_incidents, INCIDENTS_REACH),
            ("past_changes", retention.cut_past_changes, CHANGES_REACH),
            ("account_objects", retention.cut_account_objects, UNASKED_FOR),
        )

    async def run(self) -> None:
        while True:
            try:
                await self.look_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("retention_failed", extra={"error": str(error)})
            await asyncio.sleep(LOOK_SECONDS)

    async def look_once(self, now: datetime) -> dict[str, int]:
        """Cut what has had its time; returns how many rows of which kind. Raises StoreUnavailable."""
        counts: dict[str, int] = {}
        for name, walk, kept in self._walks:
            counts[name] = await self._walk(walk, now - kept)
        if any(counts.values()):
            logger.info("retention", extra=counts)
        return counts

    async def _walk(self, walk: Walk, older_than: datetime) -> int:
        rows, after = 0, 0
        while True:
            cut = await self._cut(walk, after, older_than)
            rows += cut.rows
            if cut.next_after is None:
                return rows
            after = cut.next_after
            await asyncio.sleep(REST_SECONDS)

    async def _cut(self, walk: Walk, after: int, older_than: datetime) -> Cut:
        return await self._database.write(lambda t: self._step(t, walk, after, older_than))

    def _step(self, transaction: Transaction, walk: Walk, after: int, older_than: datetime) -> Cut:
        if not leases.take(transaction, LEASE, self._holder, LEASE_TTL):
            return Cut(0, None)
        return walk(transaction, after, older_than)
