"""Compare forwarded deliveries with the timelines, and forward again what did not arrive.

However many are unfinished, the comparing is done by readers, page by page, and a write changes only what
is found: the writer is the door's, and a delivery must not wait for us.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.store import ForwardedPage
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

CONFIRM_SECONDS = 0.5
#: Deliveries that one look compares with the timelines.
PAGE = 500
#: Looks in a row that may find nothing.
IDLE_PAGES = 4
#: At most this many deliveries per transaction, so that the receiver's writes need not wait long.
WRITE_BATCH = 100
SENT_AGAIN_AT_ONCE = 500
#: Looks over everything that is unfinished are this far apart, and take at most a twentieth of the time.
OVERVIEW_SECONDS = 0.5
OVERVIEW_SHARE = 0.05
#: An incident with this many unconfirmed deliveries gets no more for now. Temporal accepts 10,000
#: signals per run, and a worker must handle all waiting signals in a single workflow task.
MAX_UNCONFIRMED = 300


class Confirmer:
    """Confirms while `leading()` is true. It calls `hold_back` with the incidents that must get no more."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        timeout: timedelta,
        leading: Callable[[], bool],
        hold_back: Callable[[Iterable[IncidentRef]], None],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._timeout = timeout
        self._leading = leading
        self._hold_back = hold_back
        self._looked_up_to = 0
        self._overview_at = 0.0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            try:
                if self._leading():
                    await self._confirm()
                    await self._take_overview()
                else:
                    # Who leads now counts them: the last count of a former leader would be told for ever.
                    self._metrics.unfinished.set(0)
            except StoreUnavailable as error:
                logger.warning("confirming_failed", extra={"error": str(error)})

    async def _confirm(self) -> None:
        """Confirm page by page, in circles, until some pages had nothing to confirm or all were seen."""
        idle = 0
        while self._leading() and idle < IDLE_PAGES:
            page = await self._look()
            for start in range(0, len(page.arrived), WRITE_BATCH):
                seqs = page.arrived[start : start + WRITE_BATCH]
                confirm = partial(deliveries.mark_applied, seqs=seqs, now=datetime.now(UTC))
                await self._database.write(confirm)
            if page.last is None:
                self._looked_up_to = 0
                return
            self._looked_up_to = page.last
            idle = 0 if page.arrived else idle + 1

    async def _look(self) -> ForwardedPage:
        after = self._looked_up_to
        return await self._database.read(lambda tx: deliveries.list_forwarded(tx, after, PAGE))

    async def _take_overview(self) -> None:
        """Count what is unfinished, send overdue deliveries again, and find crowded incidents."""
        begun = time.monotonic()
        if begun < self._overview_at:
            return
        now = datetime.now(UTC)
        unfinished = await self._database.read(deliveries.count_unfinished)
        self._metrics.unfinished.set(unfinished)
        overdue = await self._database.read(
            lambda tx: deliveries.list_overdue(tx, now, self._timeout, SENT_AGAIN_AT_ONCE)
        )
        crowded: list[IncidentRef] = []
        if unfinished > MAX_UNCONFIRMED:
            crowded = await self._database.read(
                lambda tx: deliveries.list_backlogged_incidents(tx, MAX_UNCONFIRMED)
            )
        self._hold_back(crowded)
        await self._send_again(overdue)
        ended = time.monotonic()
        self._overview_at = ended + max(OVERVIEW_SECONDS, (ended - begun) / OVERVIEW_SHARE)

    async def _send_again(self, overdue: list[int]) -> None:
        again = 0
        for start in range(0, len(overdue), WRITE_BATCH):
            seqs = overdue[start : start + WRITE_BATCH]
            again += await self._database.write(partial(deliveries.mark_pending_again, seqs=seqs))
        if again:
            self._metrics.sent_again.inc(again)
            logger.warning("events_sent_again", extra={"events": again})
