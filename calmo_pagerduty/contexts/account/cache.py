"""The account cache: the first context that needs an object reads it, others share it until it expires."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account_cache_store import WHOLE_KIND, CachedRow
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.pagerduty.errors import PagerDutyError

T = TypeVar("T")

#: If PagerDuty doesn't answer, a stale entry is used up to this multiple of its time to live.
MAX_STALE_FACTOR = 10


@dataclass(frozen=True, slots=True)
class CacheKind:
    """A kind of cached objects, with their time to live."""

    name: str
    ttl: timedelta


SERVICES = CacheKind("services", timedelta(hours=24))
BUSINESS_SERVICES = CacheKind("business_services", timedelta(hours=24))
SERVICE = CacheKind("service", timedelta(hours=24))
DEPENDENCIES = CacheKind("dependencies", timedelta(hours=24))
#: Marks of what the token may not see; its rights may change.
HIDDEN_DEPENDENCIES = CacheKind("hidden_dependencies", timedelta(hours=6))
USERS = CacheKind("users", timedelta(hours=24))
PRIORITIES = CacheKind("priorities", timedelta(hours=24))
OPEN_INCIDENTS = CacheKind("open_incidents", timedelta(seconds=20))
ON_CALL = CacheKind("on_call", timedelta(seconds=60))
MAINTENANCE = CacheKind("maintenance", timedelta(minutes=5))
#: Marks of sources that the account's plan lacks: they are not requested again for a while.
REFUSED = CacheKind("refused", timedelta(hours=6))


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Cached data, read at `fetched_at` (UTC). With `trouble` it is stale: PagerDuty did not answer."""

    data: Any
    fetched_at: datetime
    trouble: PagerDutyError | None = None


class AccountCache:
    """Caches objects of PagerDuty in our database; a worker process has a single instance.

    Every method raises StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    async def run_once(self, work: Callable[[], Awaitable[T]], *key: str) -> T:
        """Do the work, or wait for the task that does it already. It goes on if a caller is cancelled.

        Raises what the work raises.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(_run(work))
            task.add_done_callback(lambda task: self._ended(key, task))
        result: T = await asyncio.shield(task)
        return result

    async def get(
        self, connection_id: str, kind: CacheKind, fetch: Callable[[], Awaitable[Any]], id_: str = WHOLE_KIND
    ) -> CacheEntry:
        """Return the object; `fetch` reads it anew if it is missing or expired.

        Raises what `fetch` raises; on a PagerDutyError, a stale entry is returned instead if there is one.
        """
        row = await self.get_stale(connection_id, kind, id_)
        now = datetime.now(UTC)
        if row is not None and now - row.fetched_at < kind.ttl:
            return CacheEntry(row.data, row.fetched_at)

        async def renew() -> CacheEntry:
            data = await fetch()
            return await self.put(connection_id, kind, data, id_)

        try:
            return await self.run_once(renew, connection_id, kind.name, id_)
        except PagerDutyError as trouble:
            if row is None or now - row.fetched_at > MAX_STALE_FACTOR * kind.ttl:
                raise
            return CacheEntry(row.data, row.fetched_at, trouble)

    async def get_stale(self, connection_id: str, kind: CacheKind, id_: str = WHOLE_KIND) -> CachedRow | None:
        """Return the last stored object, however old."""
        return await self._database.read(lambda t: cache_store.get_object(t, connection_id, kind.name, id_))

    async def put(self, connection_id: str, kind: CacheKind, data: Any, id_: str = WHOLE_KIND) -> CacheEntry:
        now = datetime.now(UTC)
        await self._database.write(
            lambda t: cache_store.upsert_object(t, connection_id, kind.name, data, now, id_),
            durable=False,
        )
        return CacheEntry(data, now)

    def _ended(self, key: tuple[str, ...], task: "asyncio.Task[Any]") -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: nobody may be waiting any more


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
