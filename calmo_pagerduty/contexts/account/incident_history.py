"""An account's past in memory: read from our database once, and from then on what was written since."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, IncidentRow
from calmo_pagerduty.contexts.analysis.inputs import Change, PastIncident
from calmo_pagerduty.contexts.analysis.parse_logs import with_handling
from calmo_pagerduty.db.database import Database, Transaction

#: Of how many connections it is held. One takes some 20 MB, if the account is large.
MAX_ACCOUNTS = 20
#: Writers' clocks differ, and they commit after they have looked at them.
OVERLAP = timedelta(seconds=30)
#: What was deleted meanwhile is noticed after this time.
RELOAD_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class CachedIncident:
    """A past incident as it is assessed, but for the teams that it was given to: `team_ids` are all that it
    was with. `is_unread`: it is over, and its log was never read.
    """

    past: PastIncident
    status: str
    is_unread: bool
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentHistory:
    """Immutable, so threads may share it. Changes are newest first, or nearly: it spares their sorting."""

    incidents: Mapping[str, CachedIncident] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    #: When it was read first, and last.
    begun_at: datetime | None = None
    read_at: datetime | None = None


class IncidentHistoryCache:
    """One per worker process. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[str, IncidentHistory] = LRUCache(MAX_ACCOUNTS)
        self._turn = asyncio.Lock()

    async def get(self, connection_id: str) -> IncidentHistory:
        """Return what is remembered of an account now."""
        async with self._turn:
            now = datetime.now(UTC)
            known = self._known.get(connection_id, IncidentHistory())
            if known.begun_at is None or now - known.begun_at > RELOAD_AFTER:
                known = IncidentHistory(begun_at=now)
            past = await self._database.read(lambda t: _read(t, connection_id, known, now))
            self._known[connection_id] = past
            return past


def _read(tx: Transaction, connection_id: str, known: IncidentHistory, now: datetime) -> IncidentHistory:
    """Read and convert what was written since; in a thread of the store's."""
    since = known.read_at - OVERLAP if known.read_at else None
    incidents = account_memory.list_incidents_updated_since(tx, connection_id, since)
    changes = account_memory.list_changes_updated_since(tx, connection_id, since)
    return IncidentHistory(
        incidents={**known.incidents, **_cached_incidents(incidents)},
        changes=_newest_first({**known.changes, **_parse_changes(changes)}) if changes else known.changes,
        begun_at=known.begun_at,
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
    past = facts.PAST.from_json(row.data)
    return with_handling(past, facts.HANDLING.from_json(row.handling)) if row.handling is not None else past


def _newest_first(changes: Mapping[str, Change]) -> dict[str, Change]:
    return dict(sorted(changes.items(), key=lambda item: (item[1].at, item[0]), reverse=True))


def _parse_changes(rows: Sequence[ChangeRow]) -> dict[str, Change]:
    return {row.id: facts.CHANGE.from_json(row.data) for row in rows}
