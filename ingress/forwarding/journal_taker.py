"""Move what doors committed to their journal into the inbox. Several may run: each delivery moves once."""

import asyncio
import logging
from collections.abc import Callable

from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from calmo_pagerduty.deliveries.model import Verdict
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

STORE_PAUSE_SECONDS = 0.5
#: What has moved is deleted this often, because a door's commit waits for the deletion.
DELETE_SECONDS = 1.0
#: What a door could not know yet, and a person should look at.
_ALARMING = (Verdict.CONFLICT, Verdict.DEAD_LETTER)


class JournalTaker:
    """It calls `wake` after deliveries have moved."""

    def __init__(self, journal: InboxJournal, metrics: Metrics, wake: Callable[[], None]) -> None:
        self._journal = journal
        self._metrics = metrics
        self._wake = wake
        self._has_moved = asyncio.Event()

    async def run(self) -> None:
        """Move deliveries until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._take())
            loops.create_task(self._delete())

    async def _take(self) -> None:
        async for _ in self._journal.listen():
            while (verdicts := await self._take_some()) is not None:
                self._has_moved.set()
                self._wake()
                for verdict in _ALARMING:
                    self._metrics.alarms.labels(verdict).inc(verdicts.count(verdict))

    async def _take_some(self) -> list[Verdict] | None:
        while True:
            try:
                return await self._journal.move()
            except StoreUnavailable as error:
                logger.warning("journal_not_taken", extra={"error": str(error)})
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _delete(self) -> None:
        while True:
            await self._has_moved.wait()
            self._has_moved.clear()
            try:
                await self._journal.delete_taken()
            except StoreUnavailable as error:
                logger.warning("journal_not_cut", extra={"error": str(error)})
                self._has_moved.set()
            await asyncio.sleep(DELETE_SECONDS)
