"""Asking PagerDuty for one source of a context: its requests counted, at the pace that contexts keep."""

from collections.abc import AsyncIterator
from typing import Any

from calmo_pagerduty.connections.rate_limit_store import DEFAULT_PER_MINUTE
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.connections.throttle import Pacer
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.request_builders import get, list_request
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject

PAGE_SIZE = 100
#: So many requests may be made at once: one context needs no more, and so waits for nothing.
BURST_SIZE = 40


class SourceClient:
    """Reads as one connection. Every call raises PagerDutyError."""

    def __init__(self, client: PagerDutyClient) -> None:
        self._client = client
        self.requests = 0

    async def get(self, path: str, **query: Any) -> JsonObject:
        self.requests += 1
        return await self._client.send(get(path, **query))

    async def pages(
        self, request: ApiRequest, items: str, at_most: int, divisible: bool = False
    ) -> AsyncIterator[tuple[list[JsonObject], bool]]:
        """Yield page by page, each with whether the list ends there, with nothing missing."""
        whole = True
        wanted = list_request(request, items, at_most, divisible=divisible)
        async for page in self._client.pages(wanted.model_copy(update={"page_size": PAGE_SIZE})):
            self.requests += 1
            whole = whole and not page.notes
            yield list(page.items), whole and page.next is None

    async def list_items(
        self, path: str, items: str, at_most: int = PAGE_SIZE, **query: Any
    ) -> tuple[list[JsonObject], bool]:
        """Return up to so many things, and whether those are all."""
        found: list[JsonObject] = []
        whole = True
        async for page, is_end in self.pages(get(path, **query), items, at_most):
            found += page
            whole = is_end
        return found, whole


def context_pacer(connection: Connection) -> Pacer:
    """Contexts take at most half of a connection's requests in any minute: tools and healing keep room.

    It holds for one worker process; the database's count holds for all together.
    """
    half = (connection.requests_per_minute or DEFAULT_PER_MINUTE) // 2
    at_once = min(BURST_SIZE, max(1, half // 4))
    return Pacer(max(1, half - at_once), at_once)
