"""Advance the watches for sudden rises on the incidents that came."""

import asyncio
import logging
from datetime import UTC, datetime

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.oncall.reason_queries import list_analysed_connections
from calmo_pagerduty.trends.watch_service import RateWatchService

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 120.0


class RateWatchSweeper:
    """Several processes may sweep: advancing a watch twice changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches = RateWatchService(database)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("rates_not_watched", extra={"error": type(error).__name__})

    async def sweep_once(self, now: datetime) -> int:
        """Return for how many connections something was new. Raises StoreUnavailable."""
        analysed = await self._database.read(list_analysed_connections)
        return sum([await self._watches.advance(item.connection_id, now) for item in analysed])
