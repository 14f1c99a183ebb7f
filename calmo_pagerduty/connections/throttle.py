"""A slower pace within a connection's share of PagerDuty's limits: what nobody waits for takes its time."""

import asyncio
import time

from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.rate_limits import Permits, RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest

#: A tenth of PagerDuty's 960 a minute: with the few that may be made at once, it is never more than 96.
REQUESTS_PER_MINUTE = 90
BURST_SIZE = 6


class Pacer:
    """One connection's requests, evenly, with a few of them at once after a pause."""

    def __init__(self, per_minute: int = REQUESTS_PER_MINUTE, at_once: int = BURST_SIZE) -> None:
        self._seconds = 60.0 / per_minute
        self._ahead = self._seconds * at_once
        self._due = 0.0

    async def wait_for_turn(self) -> None:
        now = time.monotonic()
        self._due = max(self._due, now - self._ahead) + self._seconds
        await asyncio.sleep(max(0.0, self._due - now))


class PacedPermits:
    """Each request waits for its turn at our pace, and then as every other one does."""

    def __init__(self, pacer: Pacer, permits: Permits) -> None:
        self._pace = pacer
        self._permits = permits

    async def acquire(self, request: ApiRequest) -> None:
        """Raises RateLimited."""
        await self._pace.wait_for_turn()
        await self._permits.acquire(request)

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        await self._permits.record_limits(headers, limited)
