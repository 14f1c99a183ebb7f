"""What contexts of one account share: asked once, by whoever needs it first, and remembered for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account_cache_store import WHOLE_KIND, CachedRow
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.pagerduty.errors import PagerDutyError

T = TypeVar("T")

#: If PagerDuty doesn't answer, what is older than it should be is still used, up to so many times its age.
MAX_STALE_FACTOR = 10


@dataclass(frozen=True, slots=True)
class CacheKind:
    """A kind of thing, and for how long what is known of it holds."""

    name: str
    ttl: timedelta


SERVICES = CacheKind("services", timedelta(hours=24))
BUSINESS_SERVICES = CacheKind("business_services", timedelta(hours=24))
SERVICE = CacheKind("service", timedelta(hours=24))
DEPENDENCIES = CacheKind("dependencies", timedelta(hours=24))
#: Of what the token may not see; it may be let tomorrow.
HIDDEN_DEPENDENCIES = CacheKind("hidden_dependencies", timedelta(hours=6))
USERS = CacheKind("users", timedelta(hours=24))
PRIORITIES = CacheKind("priorities", timedelta(hours=24))
OPEN_INCIDENTS = CacheKind("open_incidents", timedelta(seconds=20))
ON_CALL = CacheKind("on_call", timedelta(seconds=60))
MAINTENANCE = CacheKind("maintenance", timedelta(minutes=5))
#: What the account's plan lacks needn't be asked again for a while.
REFUSED = CacheKind("refused", timedelta(hours=6))


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """`trouble`: PagerDuty did not answer, so it is older than it should be."""

    data: Any
    fetched_at: datetime
    trouble: PagerDutyError | None = None


class AccountCache:
    """One per worker process. Raises StoreUnavailable, and what the asking raises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    async def run_once(self, work: Callable[[], Awaitable[T]], *key: str) -> T:
        """Do the work, or wait for whoever does it already. It goes on if one of those gives up."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(_run(work))
            running.add_done_callback(lambda task: self._ended(key, task))
        found: T = await asyncio.shield(running)
        return found

    async def get(
        self, connection_id: str, kind: CacheKind, fetch: Callable[[], Awaitable[Any]], id_: str = WHOLE_KIND
    ) -> CacheEntry:
        """Return what is known of it, asked anew if that is too old."""
        kept = await self.get_stale(connection_id, kind, id_)
        now = datetime.now(UTC)
        if kept is not None and now - kept.fetched_at < kind.ttl:
            return CacheEntry(kept.data, kept.fetched_at)

        async def renew() -> CacheEntry:
            data = await fetch()
            return await self.put(connection_id, kind, data, id_)

        try:
            return await self.run_once(renew, connection_id, kind.name, id_)
        except PagerDutyError as trouble:
            if kept is None or now - kept.fetched_at > MAX_STALE_FACTOR * kind.ttl:
                raise
            return CacheEntry(kept.data, kept.fetched_at, trouble)

    async def get_stale(self, connection_id: str, kind: CacheKind, id_: str = WHOLE_KIND) -> CachedRow | None:
        """Return what was kept last, however old."""
        return await self._database.read(
            lambda t: account_memory.get_object(t, connection_id, kind.name, id_)
        )

    async def put(self, connection_id: str, kind: CacheKind, data: Any, id_: str = WHOLE_KIND) -> CacheEntry:
        now = datetime.now(UTC)
        await self._database.write(
            lambda t: account_memory.upsert_object(t, connection_id, kind.name, data, now, id_)
        )
        return CacheEntry(data, now)

    def _ended(self, key: tuple[str, ...], task: "asyncio.Task[Any]") -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waits is told; if nobody does any more, nobody needs to be


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
