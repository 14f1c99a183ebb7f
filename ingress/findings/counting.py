"""Show in the metrics how many findings are in the inbox. Labels hold no ids."""

import asyncio
import logging
from collections.abc import Callable

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.findings import queries
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

POLL_SECONDS = 30.0


class FindingCounter:
    """Counts findings in the database. Of several processes only the leading one shows them."""

    def __init__(self, database: Database, metrics: Metrics, leading: Callable[[], bool]) -> None:
        self._database = database
        self._metrics = metrics
        self._leading = leading

    async def run(self) -> None:
        """Count, again and again, until cancelled."""
        while True:
            try:
                await self.count_once()
            except StoreUnavailable as error:
                logger.warning("findings_not_counted", extra={"error": type(error).__name__})
            await asyncio.sleep(POLL_SECONDS)

    async def count_once(self) -> None:
        """Set the gauges to what is in the database now. Raises StoreUnavailable."""
        counts = await self._database.read(queries.count_findings) if self._leading() else {}
        self._metrics.findings.clear()
        for labels, count in counts.items():
            self._metrics.findings.labels(*labels).set(count)
