"""Advances the watches of a connection on the incidents that came, and records what they find."""

from datetime import UTC, datetime

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import queries, store
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.trends.analysis import TRENDS
from calmo_pagerduty.trends.watch import RATE_WATCH, advance_watches, earliest_time
from calmo_pagerduty.trends.watch_queries import list_incident_times


class RateWatchService:
    """Every method raises StoreUnavailable. Repeating one changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def advance(self, connection_id: str, now: datetime) -> bool:
        """Advance a connection's watches to `now`; return whether anything is new.

        The result that holds their state is recorded only then: when an alarm is raised, or a day is over.
        """
        at = int(now.timestamp())
        if await self._database.read(lambda tx: _advanced(tx, connection_id, at)) is None:
            return False
        return await self._database.write(lambda tx: _record(tx, connection_id, at))


def _record(tx: Transaction, connection_id: str, now: int) -> bool:
    """Compute it again behind the lock: another process may have been faster."""
    if store.get_locked_scope(tx, connection_id) is None:
        return False
    result = _advanced(tx, connection_id, now)
    if result is None:
        return False
    record_results(tx, connection_id, (result,), datetime.now(UTC))
    return True


def _advanced(tx: Transaction, connection_id: str, now: int) -> AnalysisResult | None:
    """Return the watches' result; None if it says what the last one said."""
    trends = queries.get_newest_result(tx, EVERYTHING, connection_id, TRENDS)
    if trends is None:
        return None
    before = queries.get_newest_result(tx, EVERYTHING, connection_id, RATE_WATCH)
    times = list_incident_times(tx, EVERYTHING, connection_id, earliest_time(trends, before))
    result = advance_watches(trends, before, times, now)
    is_same = before is not None and (before.metrics, before.findings) == (result.metrics, result.findings)
    return None if is_same else result
