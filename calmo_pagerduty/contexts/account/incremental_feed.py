"""Reading what grows with time: first the newest, then further back, and from then on what is new.

What was read is known as one span of time without a gap. A list is asked for newest first; should
PagerDuty hand it out otherwise, only a reading that reached its end counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account.cache import AccountMemory
from calmo_pagerduty.contexts.account.requests import PAGE, Reading
from calmo_pagerduty.contexts.account_cache_store import Span
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject

#: What was written at PagerDuty a moment ago may be listed late.
OVERLAP = timedelta(minutes=10)
A_SECOND = timedelta(seconds=1)
#: How many requests what is new may take; more is a gap, which is read like a past.
MOST_NEWS = 20


@dataclass(frozen=True, slots=True)
class Growing:
    """A kind of thing that only grows. `keep` writes a page of it."""

    name: str
    #: How far back it is wanted.
    reach: timedelta
    #: For how long nothing new is looked for.
    holds: timedelta
    items: str
    time_field: str
    request: Callable[[datetime, datetime], ApiRequest]
    keep: Callable[[Transaction, str, Sequence[JsonObject], datetime], None]
    #: From when on what is new is looked for.
    news_since: Callable[[Transaction, str, Span], datetime]


@dataclass(frozen=True, slots=True)
class _Read:
    """A reading: whether it reached its end, and back to when nothing is missing otherwise."""

    whole: bool
    back_to: datetime | None


class AccountSpans:
    """One connection's; `once` lets contexts that want the same wait for one reading."""

    def __init__(self, database: Database, memory: AccountMemory, connection_id: str) -> None:
        self._database = database
        self._memory = memory
        self._connection_id = connection_id

    async def known(self, kind: Growing) -> Span | None:
        return await self._database.read(lambda t: account_memory.span(t, self._connection_id, kind.name))

    async def caught_up(self, kind: Growing, reading: Reading, at_most: int) -> Span | None:
        """Read what is new, and with what is left of `at_most` requests further back.

        Returns what is known then; None if not even the newest could be told apart. Raises PagerDutyError.
        """

        async def catch_up() -> None:
            first = reading.requests
            await self._read_news(kind, reading, at_most)
            left = at_most - (reading.requests - first)
            if left > 0:
                await self._read_back(kind, reading, left)

        await self._memory.once(catch_up, self._connection_id, "span", kind.name)
        return await self.known(kind)

    async def _read_news(self, kind: Growing, reading: Reading, at_most: int) -> None:
        now = datetime.now(UTC)
        span = await self.known(kind)
        if span is not None and now - span.until < kind.holds:
            return
        floor = now - kind.reach
        since = floor if span is None else max(floor, await self._news_since(kind, span))
        most = at_most if span is None else min(MOST_NEWS, at_most)
        read = await self._read(kind, reading, since, now + A_SECOND, most)
        if read.whole:
            begin = min(since, span.since) if span else since
            await self._keep(kind, Span(begin, now, span.is_whole if span else True, now))
        elif read.back_to is not None:
            # More is new than may be read at once: what was read before lies behind a gap.
            await self._keep(kind, Span(read.back_to, now, False, now))

    async def _news_since(self, kind: Growing, span: Span) -> datetime:
        return await self._database.read(lambda t: kind.news_since(t, self._connection_id, span))

    async def _read_back(self, kind: Growing, reading: Reading, at_most: int) -> None:
        span = await self.known(kind)
        if span is None or span.is_whole:
            return
        floor = span.until - kind.reach
        read = await self._read(kind, reading, floor, span.since + A_SECOND, at_most)
        if read.whole:
            await self._keep(kind, Span(floor, span.until, True, datetime.now(UTC)))
        elif read.back_to is not None and read.back_to < span.since:
            await self._keep(kind, Span(read.back_to, span.until, False, datetime.now(UTC)))

    async def _read(
        self, kind: Growing, reading: Reading, since: datetime, until: datetime, at_most: int
    ) -> _Read:
        """Read and keep, page by page: one transaction each, so that nobody waits long for another."""
        whole, oldest, in_order = False, until, True
        request = kind.request(since, until)
        async for page, is_end in reading.pages(request, kind.items, at_most * PAGE, divisible=True):
            whole = is_end
            for item in page:
                at = instant_of(item.get(kind.time_field))
                in_order = in_order and (at is None or at <= oldest)
                oldest = at or oldest
            if page:
                await self._keep_page(kind, page)
        return _Read(whole, oldest if in_order and oldest < until else None)

    async def _keep_page(self, kind: Growing, page: Sequence[JsonObject]) -> None:
        now = datetime.now(UTC)
        await self._database.write(lambda t: kind.keep(t, self._connection_id, page, now))

    async def _keep(self, kind: Growing, span: Span) -> None:
        await self._database.write(
            lambda t: account_memory.keep_span(t, self._connection_id, kind.name, span)
        )
