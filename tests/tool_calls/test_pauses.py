"""What PagerDuty asks for is not forgotten, whatever is being looked up at that moment."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections.rate_limit_store import Permit
from calmo_pagerduty.connections.service import RateLimitState, SharedPermits
from calmo_pagerduty.db.batcher import Batcher
from calmo_pagerduty.db.database import READER_THREADS, Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.rate_limits import RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest, Method
from tests.support.eventually import eventually
from tests.support.patience import EVENTUALLY

PAUSE = timedelta(seconds=1)


async def soon(patiences: Sequence[float]) -> list[Permit]:
    return [Permit(True, 0.05)] * len(patiences)


async def test_a_429_that_is_heard_while_the_ledger_is_read_is_not_forgotten(
    database: Database,
) -> None:
    """The ledger learns of it later than the process: what it says until then is out of date."""
    reading, go_on, writable = threading.Barrier(READER_THREADS + 1), threading.Event(), threading.Event()

    def hold_a_reader(_: Transaction) -> None:
        reading.wait(EVENTUALLY)
        go_on.wait(EVENTUALLY)

    noted = RateLimitState(Batcher(soon))
    permits = SharedPermits(database, "con_any", timedelta(seconds=30), noted)
    readers = [asyncio.create_task(database.read(hold_a_reader)) for _ in range(READER_THREADS)]
    writer = asyncio.create_task(database.write(lambda _: writable.wait(EVENTUALLY)))
    await asyncio.to_thread(reading.wait, EVENTUALLY)
    taking = asyncio.create_task(permits.acquire(ApiRequest(method=Method.GET, path="/services")))

    async def waits_for_a_reader() -> bool:
        return database._readers._work_queue.qsize() > 0

    await eventually(waits_for_a_reader)
    until = datetime.now(UTC) + PAUSE
    telling = asyncio.create_task(
        permits.record_limits(RateHeaders(), RateLimited("wait", retry_after=PAUSE))
    )

    async def has_heard() -> bool:
        return noted.paused_until >= until

    await eventually(has_heard)
    go_on.set()
    await asyncio.gather(taking, *readers)
    assert datetime.now(UTC) >= until
    writable.set()
    await asyncio.gather(writer, telling, return_exceptions=True)
