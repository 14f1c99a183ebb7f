"""Check what was forwarded against the timelines, and see that nothing gets lost or piles up."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

CONFIRM_SECONDS = 0.5
#: One transaction confirms no more than this, so that deliveries at the door need not wait for it.
CONFIRM_BATCH_SIZE = 100
#: An incident with so many deliveries on their way gets no more until some have arrived. Temporal
#: takes 10,000 signals for a run, and a worker must get through what waits in one step.
MAX_UNCONFIRMED = 300


@dataclass(frozen=True, slots=True)
class _ConfirmResult:
    confirmed: int
    sent_again: int
    unfinished: int
    crowded: tuple[IncidentRef, ...]


class Confirmer:
    """`leading` tells whether this process forwards; `hold_back` gets the incidents to leave alone."""

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
        self._patience = timeout
        self._leading = leading
        self._hold_back = hold_back

    async def run(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            try:
                while self._leading():
                    found = await self._database.write(self._confirm)
                    self._report(found)
                    if found.confirmed < CONFIRM_BATCH_SIZE:
                        break
            except StoreUnavailable as error:
                logger.warning("confirming_failed", extra={"error": str(error)})

    def _report(self, found: _ConfirmResult) -> None:
        self._hold_back(found.crowded)
        self._metrics.unfinished.set(found.unfinished)
        if found.sent_again:
            self._metrics.sent_again.inc(found.sent_again)
            logger.warning("events_sent_again", extra={"events": found.sent_again})

    def _confirm(self, transaction: Transaction) -> _ConfirmResult:
        now = datetime.now(UTC)
        confirmed = deliveries.mark_applied(transaction, CONFIRM_BATCH_SIZE, now)
        again = deliveries.mark_pending_again(transaction, now, self._patience)
        unfinished = deliveries.count_unfinished(transaction)
        crowded = (
            deliveries.list_backlogged_incidents(transaction, MAX_UNCONFIRMED)
            if unfinished > MAX_UNCONFIRMED
            else []
        )
        return _ConfirmResult(confirmed, again, unfinished, tuple(crowded))
