"""Compare forwarded deliveries with the timelines, and forward again what did not arrive."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

CONFIRM_SECONDS = 0.5
#: At most this many deliveries per transaction, so that the receiver's writes need not wait long.
CONFIRM_BATCH_SIZE = 100
#: An incident with this many unconfirmed deliveries gets no more for now. Temporal accepts 10,000
#: signals per run, and a worker must handle all waiting signals in a single workflow task.
MAX_UNCONFIRMED = 300


@dataclass(frozen=True, slots=True)
class _ConfirmResult:
    confirmed: int
    sent_again: int
    unfinished: int
    crowded: tuple[IncidentRef, ...]


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

    async def run(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            try:
                while self._leading():
                    result = await self._database.write(self._confirm)
                    self._report(result)
                    if result.confirmed < CONFIRM_BATCH_SIZE:
                        break
            except StoreUnavailable as error:
                logger.warning("confirming_failed", extra={"error": str(error)})

    def _report(self, result: _ConfirmResult) -> None:
        self._hold_back(result.crowded)
        self._metrics.unfinished.set(result.unfinished)
        if result.sent_again:
            self._metrics.sent_again.inc(result.sent_again)
            logger.warning("events_sent_again", extra={"events": result.sent_again})

    def _confirm(self, transaction: Transaction) -> _ConfirmResult:
        now = datetime.now(UTC)
        confirmed = deliveries.mark_applied(transaction, CONFIRM_BATCH_SIZE, now)
        again = deliveries.mark_pending_again(transaction, now, self._timeout)
        unfinished = deliveries.count_unfinished(transaction)
        crowded = (
            deliveries.list_backlogged_incidents(transaction, MAX_UNCONFIRMED)
            if unfinished > MAX_UNCONFIRMED
            else []
        )
        return _ConfirmResult(confirmed, again, unfinished, tuple(crowded))
