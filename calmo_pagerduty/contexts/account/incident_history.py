"""Keep an account's past in memory: read all of it once, and then only the rows written since."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, IncidentRow
from calmo_pagerduty.contexts.analysis.inputs import Change, PastIncident
from calmo_pagerduty.contexts.analysis.parse_logs import with_handling
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction

#: The number of connections in memory. A large account takes some 20 MB.
MAX_ACCOUNTS = 20
#: Writers' clocks differ, and rows are committed later than their time says.
OVERLAP = timedelta(seconds=30)
#: Deleted rows are noticed after this time.
RELOAD_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class CachedIncident:
    """A past incident without `handed_to_team_ids`; `team_ids` are all its teams, its service's included.

    `is_unread`: it is resolved, and its log was never read.
    """

    past: PastIncident
    status: str
    is_unread: bool
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentHistory:
    """An account's past incidents and changes by id. Immutable, so threads may share it.

    Changes are newest first, or nearly, which makes later sorting cheap.
    """

    incidents: Mapping[str, CachedIncident] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    #: When it was first and last read (UTC).
    begun_at: datetime | None = None
    read_at: datetime | None = None


class IncidentHistoryCache:
    """Keeps the history of several accounts; a worker process has a single instance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._histories: LRUCache[str, IncidentHistory] = LRUCache(MAX_ACCOUNTS)
        self._lock = asyncio.Lock()

    async def get(self, connection_id: str) -> IncidentHistory:
        """Return the account's history as of now. Raises StoreUnavailable."""
        async with self._lock:
            now = datetime.now(UTC)
            history = self._histories.get(connection_id, IncidentHistory())
            if history.begun_at is None or now - history.begun_at > RELOAD_AFTER:
                history = IncidentHistory(begun_at=now)
            past = history
            history = await self._database.read(lambda t: _read(t, connection_id, past, now))
            self._histories[connection_id] = history
            return history


def _read(tx: Transaction, connection_id: str, history: IncidentHistory, now: datetime) -> IncidentHistory:
    """Read and convert the rows written since; this runs in a thread of the database's."""
    since = history.read_at - OVERLAP if history.read_at else None
    incidents = cache_store.list_incidents_updated_since(tx, connection_id, since)
    changes = cache_store.list_changes_updated_since(tx, connection_id, since)
    return IncidentHistory(
        incidents={**history.incidents, **_cached_incidents(incidents)},
        changes=_newest_first({**history.changes, **_parse_changes(changes)}) if changes else history.changes,
        begun_at=history.begun_at,
        read_at=now,
    )


def _cached_incidents(rows: Sequence[IncidentRow]) -> dict[str, CachedIncident]:
    return {row.id: _cached_incident(row) for row in rows}


def _cached_incident(row: IncidentRow) -> CachedIncident:
    past, is_unread = _past_incident(row), row.handling is None and row.status == "resolved"
    return CachedIncident(
        replace(past, handed_to_team_ids=()), row.status, is_unread, past.handed_to_team_ids
    )


def _past_incident(row: IncidentRow) -> PastIncident:
    past = codec.PAST.from_json(row.data)
    return with_handling(past, codec.HANDLING.from_json(row.handling)) if row.handling is not None else past


def _newest_first(changes: Mapping[str, Change]) -> dict[str, Change]:
    return dict(sorted(changes.items(), key=lambda item: (item[1].at, item[0]), reverse=True))


def _parse_changes(rows: Sequence[ChangeRow]) -> dict[str, Change]:
    return {row.id: codec.CHANGE.from_json(row.data) for row in rows}
