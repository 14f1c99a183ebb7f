"""A throttle for background requests, within the connection's share of PagerDuty's rate limit."""

import asyncio
import time

from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.rate_limits import Permits, RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest

#: With the burst, at most 96 in any minute: a tenth of PagerDuty's 960.
REQUESTS_PER_MINUTE = 90
BURST_SIZE = 6


class Pacer:
    """Spaces one connection's requests evenly, and allows a few at once after a pause."""

    def __init__(self, per_minute: int = REQUESTS_PER_MINUTE, at_once: int = BURST_SIZE) -> None:
        self._seconds = 60.0 / per_minute
        self._ahead = self._seconds * at_once
        self._due = 0.0

    async def wait_for_turn(self) -> None:
        """Wait until the next request is due at the pacer's rate."""
        now = time.monotonic()
        self._due = max(self._due, now - self._ahead) + self._seconds
        await asyncio.sleep(max(0.0, self._due - now))


class PacedPermits:
    """Permits that wait for the pacer first, and then for `permits`."""

    def __init__(self, pacer: Pacer, permits: Permits) -> None:
        self._pace = pacer
        self._permits = permits

    async def acquire(self, request: ApiRequest) -> None:
        """Wait until the request may be sent. Raises RateLimited."""
        await self._pace.wait_for_turn()
        await self._permits.acquire(request)

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        await self._permits.record_limits(headers, limited)
