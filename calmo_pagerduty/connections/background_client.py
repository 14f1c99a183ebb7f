"""A PagerDuty client for work in the background: it counts requests, and leaves half of our share free."""

from collections.abc import AsyncIterator
from typing import Any

from calmo_pagerduty.connections.rate_limit_store import DEFAULT_PER_MINUTE
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.connections.throttle import Pace
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.request_builders import get, list_request
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult

PAGE_SIZE = 100
#: So many requests may go at once: a single context needs no more, so it does not wait.
BURST_SIZE = 40


class BackgroundClient:
    """Reads through one connection and counts its requests. Every method raises PagerDutyError."""

    def __init__(self, client: PagerDutyClient) -> None:
        self._client = client
        self.requests = 0

    async def get(self, path: str, **query: Any) -> JsonObject:
        self.requests += 1
        return await self._client.send(get(path, **query))

    async def page(self, listing: ListRequest) -> ListResult:
        """Return one page of a list, from the cursor `listing.after` on."""
        self.requests += 1
        return await self._client.collect(listing.model_copy(update={"at_most": listing.page_size}))

    async def pages(
        self, request: ApiRequest, items: str, at_most: int, divisible: bool = False
    ) -> AsyncIterator[tuple[list[JsonObject], bool]]:
        """Yield each page, with True if the list ends there and nothing is missing."""
        whole = True
        listing = list_request(request, items, at_most, divisible=divisible)
        async for page in self._client.pages(listing.model_copy(update={"page_size": PAGE_SIZE})):
            self.requests += 1
            whole = whole and not page.notes
            yield list(page.items), whole and page.next is None

    async def list_items(
        self, path: str, items: str, at_most: int = PAGE_SIZE, **query: Any
    ) -> tuple[list[JsonObject], bool]:
        """Return up to `at_most` items, and True if those are all."""
        result: list[JsonObject] = []
        whole = True
        async for page, is_end in self.pages(get(path, **query), items, at_most):
            result += page
            whole = is_end
        return result, whole


def half_share_pace(connection: Connection) -> Pace:
    """Return a pace that limits background work to half of a connection's requests per minute.

    The other half is left to tools and reconciliation.
    """
    half = (connection.requests_per_minute or DEFAULT_PER_MINUTE) // 2
    burst = min(BURST_SIZE, max(1, half // 4))
    return Pace("background", max(1, half - burst), burst)
