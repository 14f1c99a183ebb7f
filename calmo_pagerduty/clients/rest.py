"""Clients of our own REST API: synchronous and asynchronous.

Both send the requests of `clients.requests` and parse the answers in the same way.
"""

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, cast

from calmo_pagerduty.clients.requests import (
    CHANNEL_HEADER,
    READ_TIMEOUTS,
    STREAM_TIMEOUTS,
    ApiProblem,
    ApiRequest,
    Json,
    Params,
    ServerSentEvent,
    Timeouts,
)
from calmo_pagerduty.http_client import (
    AsyncClient,
    Client,
    EventSource,
    HTTPError,
    Response,
    Timeout,
    tls_context,
)


class ApiClient:
    """The synchronous client of our command line. Its methods and constructor raise ApiProblem."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._http = Client(headers=_headers(api_key, "cli"), **_options_for(url))

    def close(self) -> None:
        """Close the connections. A program that ends need not call it."""
        self._http.close()

    def list_issues(self, params: Params) -> Json:
        """Return the answer of GET /api/issues. Raises as `ask`."""
        return self.get("/api/issues", params)

    def show_issue(self, issue_id: str) -> Json:
        """Return the answer of GET /api/issues/{id}. Raises as `ask`."""
        return self.get(f"/api/issues/{issue_id}")

    def get(self, path: str, params: Params = ()) -> Json:
        """Return the answer of a GET. Raises as `ask`."""
        return self.ask(ApiRequest("GET", path, params))

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer of a request with a body. Raises as `ask`."""
        return self.ask(ApiRequest(method, path, body=body))

    def ask(self, request: ApiRequest) -> Json:
        """Send a request and return its answer's JSON."""
        return _read(self._request(request))

    def text(self, path: str, params: Params = ()) -> str:
        """Return an answer's body as text."""
        answer = self._request(ApiRequest("GET", path, params))
        if answer.status_code != 200:
            raise _refused(answer)
        return answer.text

    def changes(self, after: int | None = None) -> Iterator[ServerSentEvent | None]:
        """Yield None when the stream is open, then changes of issues, starting after id `after`."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        yield from self.stream(ApiRequest("GET", "/api/issues/events", headers=headers))

    def follow(self, path: str) -> Iterator[ServerSentEvent]:
        """Yield the events of a finite stream."""
        return (event for event in self.stream(ApiRequest("GET", path)) if event is not None)

    def steps(self, path: str) -> Iterator[Json]:
        """Yield the steps of a webhook's test as they finish."""
        request = ApiRequest("POST", path, body={}, headers={"Accept": "text/event-stream"})
        return (event.data for event in self.stream(request) if event is not None)

    def stream(self, request: ApiRequest) -> Iterator[ServerSentEvent | None]:
        """Yield None when the stream is open, then its events."""
        options = _options(request, STREAM_TIMEOUTS)
        try:
            with self._http.stream(request.method, request.path, **options) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _refused(answer)
                yield None
                for event in EventSource(answer).iter_sse():
                    if event.data:
                        yield ServerSentEvent(int(event.id or 0), json.loads(event.data), event.event)
        except HTTPError as error:
            raise _unreachable(self._url, error) from error

    def _request(self, request: ApiRequest) -> Response:
        try:
            return self._http.request(request.method, request.path, **_options(request))
        except HTTPError as error:
            raise _unreachable(self._url, error) from error


class AsyncApiClient:
    """The asynchronous client. Its methods and constructor raise ApiProblem."""

    def __init__(self, url: str, api_key: str, face: str | None = None) -> None:
        self._url = url
        headers = _headers(api_key, face)
        self._http = AsyncClient(headers=headers, **_options_for(url))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, request: ApiRequest) -> Json:
        """Send a request and return its answer."""
        try:
            answer = await self._http.request(
                request.method, request.path, **_options(request, request.timeouts)
            )
        except HTTPError as error:
            raise _unreachable(self._url, error) from error
        return _read(answer)


def _options_for(url: str) -> dict[str, Any]:
    """Return httpx's client options for this URL."""
    return {
        "base_url": url,
        "timeout": _timeout(READ_TIMEOUTS),
        "trust_env": False,
        # Without TLS, don't load the certificates, which is slow. No redirect can lead to https.
        "verify": url.lower().startswith("https:") and tls_context(),
    }


def _options(request: ApiRequest, timeouts: Timeouts | None = None) -> dict[str, Any]:
    """Return httpx's options for the request, besides method and path."""
    return {
        # None preserves the path's own query; an empty list would remove it.
        "params": list(request.params) or None,
        "json": request.body,
        "headers": dict(request.headers),
        "timeout": _timeout(timeouts or request.timeouts),
    }


def _timeout(timeouts: Timeouts) -> Timeout:
    return Timeout(timeouts.read, connect=timeouts.connect)


def _headers(api_key: str, face: str | None) -> dict[str, str]:
    if not (api_key.isascii() and api_key.isprintable()):
        raise ApiProblem("the API key has characters that are not allowed: is it another file's text?")
    headers = {"Authorization": f"Bearer {api_key}"}
    return headers if face is None else headers | {CHANNEL_HEADER: face}


def _read(answer: Response) -> Json:
    """Return the answer's object. An answer with a call's state is valid, whatever its HTTP status."""
    try:
        value = answer.json()
    except ValueError:
        value = None
    if isinstance(value, dict) and ("state" in value or answer.status_code in {200, 201, 202}):
        return cast(Json, value)
    raise _refused(answer)


def _refused(answer: Response) -> ApiProblem:
    try:
        error = answer.json()["error"]
        message, rule = error["message"], error.get("rule")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, rule = answer.reason_phrase, None
    text = f"the service answered {answer.status_code}: {message}"
    return ApiProblem(text, answer.status_code, str(message), rule)


def _unreachable(url: str, error: HTTPError) -> ApiProblem:
    fault = f"the service can't be reached ({type(error).__name__})"
    return ApiProblem(
        f"nothing answers at {url} ({type(error).__name__}); is `calmo-pagerduty up` running?", detail=fault
    )
