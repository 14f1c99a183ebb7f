"""A client of PagerDuty's REST API. It sends each request once; the caller decides about retries."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from calmo_pagerduty.http_client import URL, AsyncClient, InvalidURL, Request
from calmo_pagerduty.pagerduty import transport as wire
from calmo_pagerduty.pagerduty.account import Account
from calmo_pagerduty.pagerduty.errors import InvalidRequest, OutcomeUnknown, PagerDutyError, RateLimited
from calmo_pagerduty.pagerduty.pagination import MAX_OFFSET, Paginator
from calmo_pagerduty.pagerduty.rate_limits import Permits, Unlimited, rate_headers
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Method, Plan
from calmo_pagerduty.pagerduty.responses import ApiResponse, parse_response
from calmo_pagerduty.pagerduty.transport import connect

__all__ = ["PagerDutyClient", "connect"]

_log = logging.getLogger(__name__)

#: Bytes of an answer whose parsing takes more than a few milliseconds.
LARGE_ANSWER: Final = 256 * 1024

_HEADERS: Final = {
    "Accept": "application/vnd.pagerduty+json;version=2",
    "User-Agent": "calmo-pagerduty",
}


class PagerDutyClient:
    """Calls the API for one account over a shared HTTP client. Every call raises PagerDutyError."""

    def __init__(
        self,
        account: Account,
        http: AsyncClient,
        permits: Permits | None = None,
        deadline: timedelta = wire.DEADLINE,
        max_answer: int = wire.MAX_RESPONSE_BYTES,
        ceiling: int = MAX_OFFSET,
    ) -> None:
        self._account = account
        self._base = URL(account.base_url)
        self._http = http
        self._permits = permits or Unlimited()
        self._deadline = deadline
        self._max_answer = max_answer
        self._ceiling = ceiling

    async def send(self, request: ApiRequest) -> JsonObject:
        """Send one request and return its JSON object: {} if empty, {"items": [...]} for a bare array."""
        wired = self._http_request(request)
        await self._permits.acquire(request)
        answer = await wire.exchange(self._http, request, wired, self._deadline, self._max_answer)
        try:
            result = await self._parse(request, answer)
        except PagerDutyError as error:
            await self._report_limits(answer, error if isinstance(error, RateLimited) else None)
            raise
        await self._report_limits(answer, None)
        return result

    async def _parse(self, request: ApiRequest, answer: ApiResponse) -> JsonObject:
        """Parse the answer; a large one in a thread, so that a door or a heartbeat waits for none of it."""
        secrets = (self._account.token.get_secret_value(),)
        if len(answer.body) < LARGE_ANSWER:
            return parse_response(request, answer, secrets)
        return await asyncio.to_thread(parse_response, request, answer, secrets)

    async def pages(self, listing: ListRequest) -> AsyncIterator[ListResult]:
        """Yield the list's pages. `next` of a page is the cursor of the following page."""
        paginator = Paginator(listing, self._account.connection_id, self._ceiling)
        while (request := paginator.request()) is not None:
            yield paginator.take(await self.send(request))

    async def collect(self, listing: ListRequest) -> ListResult:
        """Return the list in one piece, at most `at_most` items."""
        items: list[JsonObject] = []
        notes: list[str] = []
        next_cursor, read = listing.after, 0
        async for page in self.pages(listing):
            items += page.items
            notes += page.notes
            next_cursor = page.next
            read += page.read
        return ListResult(items=tuple(items), next=next_cursor, notes=tuple(notes), read=read)

    async def run(self, plan: Plan) -> JsonObject:
        """Send the plan's requests, give it the answers, and return its result.

        Raises the errors that the plan doesn't catch. `may_have_happened` of such an error covers all
        requests of the plan.
        """
        may_have_written = False
        try:
            request = next(plan)
            while True:
                try:
                    answer = await self._perform(request)
                except PagerDutyError as error:
                    may_have_written |= error.may_have_happened
                    request = plan.throw(error)
                else:
                    may_have_written |= isinstance(request, ApiRequest) and request.is_write
                    request = plan.send(answer)
        except StopIteration as end:
            result: JsonObject = end.value
            return result
        except PagerDutyError as error:
            in_doubt = may_have_written and not error.changed_nothing
            error.may_have_happened = in_doubt or isinstance(error, OutcomeUnknown)
            raise
        finally:
            plan.close()

    async def _perform(self, request: ApiRequest | ListRequest) -> JsonObject | ListResult:
        return await (self.send(request) if isinstance(request, ApiRequest) else self.collect(request))

    def _http_request(self, request: ApiRequest) -> Request:
        """Return the request as an HTTP request. Raises InvalidRequest if it can't be sent."""
        headers = {**_HEADERS, "Authorization": self._account.authorization}
        if request.in_the_name_of and self._account.from_address is not None:
            headers["From"] = self._account.from_address
        content: bytes | None = None
        url: URL | None = None
        try:
            if request.body is not None:
                content = json.dumps(request.body, ensure_ascii=False, allow_nan=False).encode()
            # httpx would group repeated names, so the query is built here.
            query = f"?{urlencode(request.query)}" if request.query else ""
            url = URL(self._account.base_url.rstrip("/") + request.path + query)
        except (ValueError, TypeError, InvalidURL):
            pass
        if url is None:
            raise InvalidRequest("the request can't be sent", advice="check its ids and texts")
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            raise InvalidRequest(
                "the request leads to another host", advice="a token is never sent elsewhere"
            )
        if request.method in {Method.POST, Method.PUT} or content is not None:
            headers["Content-Type"] = "application/json"
        return self._http.build_request(request.method.value, url, headers=headers, content=content)

    async def _report_limits(self, answer: ApiResponse, limited: RateLimited | None) -> None:
        """Record the limits. A failing database must not lose the answer to a write."""
        try:
            await self._permits.record_limits(rate_headers(answer.headers), limited)
        # Whatever fails here, the caller gets PagerDuty's answer.
        except Exception:
            _log.warning("rate_limits_not_noted", exc_info=True)
