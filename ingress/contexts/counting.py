"""Count finished contexts in the metrics. Labels hold no ids."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.contexts.store import FinishedVersion
from calmo_pagerduty.db.database import Database, StoreUnavailable
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

POLL_SECONDS = 10.0


class ContextCounter:
    """Counts contexts of all workers from the database. Of several processes only the leading one counts."""

    def __init__(self, database: Database, metrics: Metrics, leading: Callable[[], bool]) -> None:
        self._database = database
        self._metrics = metrics
        self._leading = leading
        self._since = datetime.now(UTC)
        self._counted: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Count contexts for the metrics, again and again, until cancelled."""
        while True:
            try:
                await self.count_once()
            except StoreUnavailable as error:
                logger.warning("contexts_not_counted", extra={"error": type(error).__name__})
            await asyncio.sleep(POLL_SECONDS)

    async def count_once(self) -> None:
        """Count contexts that finished since the last call; who does not lead passes them over.

        Raises StoreUnavailable.
        """
        since = self._since
        runs = await self._database.read(lambda t: contexts.list_finished_since(t, since))
        for run in runs:
            if run.key not in self._counted and self._leading():
                self._count(run)
        if runs:
            self._since = runs[-1].at
            self._counted = {run.key for run in runs if run.at == self._since}

    def _count(self, run: FinishedVersion) -> None:
        degraded = run.is_degraded and run.state is ContextState.COMPLETE
        self._metrics.contexts.labels("degraded" if degraded else run.state.value).inc()
        self._metrics.context_seconds.observe(run.seconds)
        self._metrics.context_requests.observe(run.requests)
        for source, state in run.lacking:
            self._metrics.sources_lacking.labels(source.value, state.value).inc()
