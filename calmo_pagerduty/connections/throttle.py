"""Paces of background work, within the connection's share of PagerDuty's rate limit."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from calmo_pagerduty.connections import rate_limit_store
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.rate_limits import Permits, RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest


@dataclass(frozen=True, slots=True)
class Pace:
    """How often one kind of work may ask with a connection's token: the work of all processes together.

    It spaces requests evenly, and allows `at_once` of them after a pause.
    """

    name: str
    per_minute: int
    at_once: int

    @property
    def seconds(self) -> float:
        """The seconds from one request to the next."""
        return 60.0 / self.per_minute


#: Of reconciliation and the doctor. With the burst, at most 96 in any minute: a tenth of PagerDuty's 960.
HEALTH_PACE = Pace("health", per_minute=90, at_once=6)


class PacedPermits:
    """Permits that wait for the connection's turn at a pace first, and then for `permits`."""

    def __init__(self, database: Database, connection_id: str, pace: Pace, permits: Permits) -> None:
        self._database = database
        self._connection_id = connection_id
        self._pace = pace
        self._permits = permits

    async def acquire(self, request: ApiRequest) -> None:
        """Wait until the request may be sent. Raises RateLimited, StoreUnavailable."""
        pace = self._pace
        wait = await self._database.write(
            lambda tx: rate_limit_store.claim_turn(
                tx, self._connection_id, pace.name, pace.seconds, pace.at_once, datetime.now(UTC)
            ),
            durable=False,
        )
        await asyncio.sleep(wait)
        await self._permits.acquire(request)

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        await self._permits.record_limits(headers, limited)
