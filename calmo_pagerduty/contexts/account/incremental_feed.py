"""Reading what grows with time: first the newest, then further back, and from then on what is new.

What was read is known as one span of time without a gap. A list is asked for newest first; should
PagerDuty hand it out otherwise, only a reading that reached its end counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account.cache import AccountCache
from calmo_pagerduty.contexts.account.requests import PAGE_SIZE, SourceClient
from calmo_pagerduty.contexts.account_cache_store import SyncedRange
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject

#: What was written at PagerDuty a moment ago may be listed late.
OVERLAP = timedelta(minutes=10)
ONE_SECOND = timedelta(seconds=1)
#: How many requests what is new may take; more is a gap, which is read like a past.
MAX_NEW_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class IncrementalFeed:
    """A kind of thing that only grows. `keep` writes a page of it."""

    name: str
    #: How far back it is wanted.
    lookback: timedelta
    #: For how long nothing new is looked for.
    ttl: timedelta
    items: str
    time_field: str
    request: Callable[[datetime, datetime], ApiRequest]
    save_page: Callable[[Transaction, str, Sequence[JsonObject], datetime], None]
    #: From when on what is new is looked for.
    new_since: Callable[[Transaction, str, SyncedRange], datetime]


@dataclass(frozen=True, slots=True)
class _ReadRange:
    """A reading: whether it reached its end, and back to when nothing is missing otherwise."""

    whole: bool
    back_to: datetime | None


class FeedSync:
    """One connection's; `once` lets contexts that want the same wait for one reading."""

    def __init__(self, database: Database, cache: AccountCache, connection_id: str) -> None:
        self._database = database
        self._memory = cache
        self._connection_id = connection_id

    async def synced_range(self, feed: IncrementalFeed) -> SyncedRange | None:
        return await self._database.read(
            lambda t: account_memory.get_synced_range(t, self._connection_id, feed.name)
        )

    async def sync(self, feed: IncrementalFeed, client: SourceClient, at_most: int) -> SyncedRange | None:
        """Read what is new, and with what is left of `at_most` requests further back.

        Returns what is known then; None if not even the newest could be told apart. Raises PagerDutyError.
        """

        async def catch_up() -> None:
            first = client.requests
            await self._read_new(feed, client, at_most)
            left = at_most - (client.requests - first)
            if left > 0:
                await self._read_back(feed, client, left)

        await self._memory.run_once(catch_up, self._connection_id, "span", feed.name)
        return await self.synced_range(feed)

    async def _read_new(self, feed: IncrementalFeed, client: SourceClient, at_most: int) -> None:
        now = datetime.now(UTC)
        span = await self.synced_range(feed)
        if span is not None and now - span.until < feed.ttl:
            return
        floor = now - feed.lookback
        since = floor if span is None else max(floor, await self._new_since(feed, span))
        most = at_most if span is None else min(MAX_NEW_REQUESTS, at_most)
        read = await self._read(feed, client, since, now + ONE_SECOND, most)
        if read.whole:
            begin = min(since, span.since) if span else since
            await self._save_range(feed, SyncedRange(begin, now, span.is_whole if span else True, now))
        elif read.back_to is not None:
            # More is new than may be read at once: what was read before lies behind a gap.
            await self._save_range(feed, SyncedRange(read.back_to, now, False, now))

    async def _new_since(self, feed: IncrementalFeed, synced: SyncedRange) -> datetime:
        return await self._database.read(lambda t: feed.new_since(t, self._connection_id, synced))

    async def _read_back(self, feed: IncrementalFeed, client: SourceClient, at_most: int) -> None:
        span = await self.synced_range(feed)
        if span is None or span.is_whole:
            return
        floor = span.until - feed.lookback
        read = await self._read(feed, client, floor, span.since + ONE_SECOND, at_most)
        if read.whole:
            await self._save_range(feed, SyncedRange(floor, span.until, True, datetime.now(UTC)))
        elif read.back_to is not None and read.back_to < span.since:
            await self._save_range(feed, SyncedRange(read.back_to, span.until, False, datetime.now(UTC)))

    async def _read(
        self, feed: IncrementalFeed, client: SourceClient, since: datetime, until: datetime, at_most: int
    ) -> _ReadRange:
        """Read and keep, page by page: one transaction each, so that nobody waits long for another."""
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
        await self._database.write(lambda t: feed.save_page(t, self._connection_id, page, now))

    async def _save_range(self, feed: IncrementalFeed, synced: SyncedRange) -> None:
        await self._database.write(
            lambda t: account_memory.upsert_synced_range(t, self._connection_id, feed.name, synced)
        )
