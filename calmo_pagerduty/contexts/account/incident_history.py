"""An account's past in memory: read from our database once, and from then on what was written since."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, IncidentRow
from calmo_pagerduty.contexts.analysis.reading_logs import handled
from calmo_pagerduty.contexts.analysis.surroundings import Change, PastIncident
from calmo_pagerduty.db.database import Database, Transaction

#: Of how many connections it is held. One takes some 20 MB, if the account is large.
MOST_ACCOUNTS = 20
#: Writers' clocks differ, and they commit after they have looked at them.
OVERLAP = timedelta(seconds=30)
#: What was deleted meanwhile is noticed after this time.
ANEW_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A past incident as it is assessed, but for the teams that it was given to: `team_ids` are all that it
    was with. `is_unread`: it is over, and its log was never read.
    """

    past: PastIncident
    status: str
    is_unread: bool
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountPast:
    """Immutable, so threads may share it. Changes are newest first, or nearly: it spares their sorting."""

    incidents: Mapping[str, Remembered] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    #: When it was read first, and last.
    begun_at: datetime | None = None
    read_at: datetime | None = None


class AccountPasts:
    """One per worker process. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[str, AccountPast] = LRUCache(MOST_ACCOUNTS)
        self._turn = asyncio.Lock()

    async def of(self, connection_id: str) -> AccountPast:
        """Return what is remembered of an account now."""
        async with self._turn:
            now = datetime.now(UTC)
            known = self._known.get(connection_id, AccountPast())
            if known.begun_at is None or now - known.begun_at > ANEW_AFTER:
                known = AccountPast(begun_at=now)
            past = await self._database.read(lambda t: _read(t, connection_id, known, now))
            self._known[connection_id] = past
            return past


def _read(tx: Transaction, connection_id: str, known: AccountPast, now: datetime) -> AccountPast:
    """Read and convert what was written since; in a thread of the store's."""
    since = known.read_at - OVERLAP if known.read_at else None
    incidents = account_memory.incidents_changed(tx, connection_id, since)
    changes = account_memory.changes_changed(tx, connection_id, since)
    return AccountPast(
        incidents={**known.incidents, **_remembered(incidents)},
        changes=_newest_first({**known.changes, **_converted(changes)}) if changes else known.changes,
        begun_at=known.begun_at,
        read_at=now,
    )


def _remembered(rows: Sequence[IncidentRow]) -> dict[str, Remembered]:
    return {row.id: _remembered_one(row) for row in rows}


def _remembered_one(row: IncidentRow) -> Remembered:
    past, is_unread = _past_of(row), row.handling is None and row.status == "resolved"
    return Remembered(replace(past, handed_to_team_ids=()), row.status, is_unread, past.handed_to_team_ids)


def _past_of(row: IncidentRow) -> PastIncident:
    past = facts.PAST.of(row.data)
    return handled(past, facts.HANDLING.of(row.handling)) if row.handling is not None else past


def _newest_first(changes: Mapping[str, Change]) -> dict[str, Change]:
    return dict(sorted(changes.items(), key=lambda item: (item[1].at, item[0]), reverse=True))


def _converted(rows: Sequence[ChangeRow]) -> dict[str, Change]:
    return {row.id: facts.CHANGE.of(row.data) for row in rows}
