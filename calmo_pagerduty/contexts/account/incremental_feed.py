"""Read lists that grow with time: first the newest items, then further back, later only the new ones.

The synced range is one span of time without a gap. A list is requested newest first; if PagerDuty returns
another order, only a list that was read to its end counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections.background_client import PAGE_SIZE, BackgroundClient
from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account.cache import AccountCache
from calmo_pagerduty.contexts.account_cache_store import SyncedRange
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject

#: PagerDuty may list new items late.
OVERLAP = timedelta(minutes=10)
ONE_SECOND = timedelta(seconds=1)
#: How many requests may read the new items. Beyond that there is a gap, which is read like the past.
MAX_NEW_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class IncrementalFeed:
    """A list that only grows. `save_page` stores one page of it."""

    name: str
    #: How far back to read.
    lookback: timedelta
    #: For how long not to look for new items.
    ttl: timedelta
    items: str
    time_field: str
    request: Callable[[datetime, datetime], ApiRequest]
    save_page: Callable[[Transaction, str, Sequence[JsonObject], datetime], None]
    #: Returns the time from which to look for new items.
    new_since: Callable[[Transaction, str, SyncedRange], datetime]


@dataclass(frozen=True, slots=True)
class _ReadRange:
    """How far a list was read: to its end, or else without a gap back to `back_to`."""

    whole: bool
    back_to: datetime | None


class FeedSync:
    """Synchronises the feeds of one connection; concurrent contexts share one reading."""

    def __init__(self, database: Database, cache: AccountCache, connection_id: str) -> None:
        self._database = database
        self._cache = cache
        self._connection_id = connection_id

    async def synced_range(self, feed: IncrementalFeed) -> SyncedRange | None:
        return await self._database.read(
            lambda t: cache_store.get_synced_range(t, self._connection_id, feed.name)
        )

    async def sync(self, feed: IncrementalFeed, client: BackgroundClient, at_most: int) -> SyncedRange | None:
        """Read the new items, and with the rest of `at_most` requests further back.

        Return the synced range; None if the order of the list does not allow any. Raises PagerDutyError.
        """

        async def catch_up() -> None:
            before = client.requests
            await self._read_new(feed, client, at_most)
            left = at_most - (client.requests - before)
            if left > 0:
                await self._read_back(feed, client, left)

        await self._cache.run_once(catch_up, self._connection_id, "span", feed.name)
        return await self.synced_range(feed)

    async def _read_new(self, feed: IncrementalFeed, client: BackgroundClient, at_most: int) -> None:
        now = datetime.now(UTC)
        synced = await self.synced_range(feed)
        if synced is not None and now - synced.until < feed.ttl:
            return
        floor = now - feed.lookback
        since = floor if synced is None else max(floor, await self._new_since(feed, synced))
        most = at_most if synced is None else min(MAX_NEW_REQUESTS, at_most)
        read = await self._read(feed, client, since, now + ONE_SECOND, most)
        if read.whole:
            begin = min(since, synced.since) if synced else since
            await self._save_range(feed, SyncedRange(begin, now, synced.is_whole if synced else True, now))
        elif read.back_to is not None:
            # There are more new items than may be read now: the earlier range lies behind a gap.
            await self._save_range(feed, SyncedRange(read.back_to, now, False, now))

    async def _new_since(self, feed: IncrementalFeed, synced: SyncedRange) -> datetime:
        return await self._database.read(lambda t: feed.new_since(t, self._connection_id, synced))

    async def _read_back(self, feed: IncrementalFeed, client: BackgroundClient, at_most: int) -> None:
        synced = await self.synced_range(feed)
        if synced is None or synced.is_whole:
            return
        floor = synced.until - feed.lookback
        read = await self._read(feed, client, floor, synced.since + ONE_SECOND, at_most)
        if read.whole:
            await self._save_range(feed, SyncedRange(floor, synced.until, True, datetime.now(UTC)))
        elif read.back_to is not None and read.back_to < synced.since:
            await self._save_range(feed, SyncedRange(read.back_to, synced.until, False, datetime.now(UTC)))

    async def _read(
        self, feed: IncrementalFeed, client: BackgroundClient, since: datetime, until: datetime, at_most: int
    ) -> _ReadRange:
        """Read and store page by page, with a transaction each, so that others don't wait long."""
        whole, oldest, in_order = False, until, True
        request = feed.request(since, until)
        async for page, is_end in client.pages(request, feed.items, at_most * PAGE_SIZE, divisible=True):
            whole = is_end
            for item in page:
                at = parse_instant(item.get(feed.time_field))
                in_order = in_order and (at is None or at <= oldest)
                oldest = at or oldest
            if page:
                await self._save_page(feed, page)
        return _ReadRange(whole, oldest if in_order and oldest < until else None)

    async def _save_page(self, feed: IncrementalFeed, page: Sequence[JsonObject]) -> None:
        now = datetime.now(UTC)
        await self._database.write(lambda t: feed.save_page(t, self._connection_id, page, now), durable=False)

    async def _save_range(self, feed: IncrementalFeed, synced: SyncedRange) -> None:
        await self._database.write(
            lambda t: cache_store.upsert_synced_range(t, self._connection_id, feed.name, synced)
        )
