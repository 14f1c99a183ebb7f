"""Our own REST API for its clients: what is asked, in one place, and a synchronous and an asynchronous shell.

A request is a value; both shells send it and read its answer alike.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

from calmo_pagerduty.http_client import AsyncClient, Client, EventSource, HTTPError, Response, Timeout
from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]
Params = Sequence[tuple[str, str]]

#: Says through which of our faces a request comes, for the audit.
CHANNEL_HEADER = "x-calmo-face"
#: A read of ours takes milliseconds; the service may share a slow machine with much else.
HTTP_TIMEOUT = Timeout(30.0, connect=10.0)
#: The service itself waits up to 60 s for a call before it answers with a ticket.
PATIENCE_WITH_CALLS = Timeout(10.0, read=90.0)
#: A stream that goes on says at least each 15 s that it is still there.
PATIENCE_WITH_STREAMS = Timeout(10.0, read=60.0)


class ApiProblem(ExplainedError):
    """The service can't be reached or refuses; the message is for a person. `status` is its answer's.

    `said` are the service's own words alone, or what happened on the way to it. `rule` refused a call.
    """

    def __init__(
        self, message: str, status: int | None = None, said: str = "", rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.said = said or message
        self.rule = rule


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    id: int
    data: Json
    name: str = ""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request of our REST API."""

    method: str
    path: str
    params: Params = ()
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: Timeout = field(default_factory=lambda: HTTP_TIMEOUT)

    @property
    def options(self) -> dict[str, Any]:
        """The request as httpx takes it, besides method and path."""
        return {
            # None leaves a path's own query alone; an empty list would take it away.
            "params": list(self.params) or None,
            "json": self.body,
            "headers": dict(self.headers),
            "timeout": self.patience,
        }


def tool_call(
    tool: str,
    arguments: Mapping[str, Any],
    connection: str | None = None,
    idempotency_key: str | None = None,
    wait_seconds: float = 30.0,
) -> ApiRequest:
    """Call a tool; what takes longer than `wait_seconds` is answered by a ticket."""
    body = {
        "connection": connection,
        "arguments": dict(arguments),
        "idempotency_key": idempotency_key,
        "wait_seconds": wait_seconds,
    }
    return _call(f"/api/tools/{quote(tool, safe='')}", body)


def issue_action(
    issue_id: str,
    action: str,
    arguments: Mapping[str, Any],
    idempotency_key: str | None = None,
    wait_seconds: float = 30.0,
) -> ApiRequest:
    """Act on an issue's incident; what takes longer than `wait_seconds` is answered by a ticket."""
    body = {
        "action": action,
        "arguments": dict(arguments),
        "idempotency_key": idempotency_key,
        "wait_seconds": wait_seconds,
    }
    return _call(f"/api/issues/{quote(issue_id, safe='')}/actions", body)


def call_state(call_id: str) -> ApiRequest:
    """Ask how an earlier call stands."""
    return ApiRequest("GET", f"/api/tool-calls/{quote(call_id, safe='')}", patience=PATIENCE_WITH_CALLS)


def _call(path: str, body: Json) -> ApiRequest:
    given = {name: value for name, value in body.items() if value is not None}
    return ApiRequest("POST", path, body=given, patience=PATIENCE_WITH_CALLS)


class ApiClient:
    """The synchronous shell, with which our command line asks. Every call raises ApiProblem, as does making
    it.
    """

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._http = Client(
            base_url=url, headers=_headers(api_key, "cli"), timeout=HTTP_TIMEOUT, trust_env=False
        )

    def close(self) -> None:
        """Close the connections; a program that ends needn't."""
        self._http.close()

    def list_issues(self, params: Params) -> Json:
        return self.get("/api/issues", params)

    def show_issue(self, issue_id: str) -> Json:
        return self.get(f"/api/issues/{issue_id}")

    def get(self, path: str, params: Params = ()) -> Json:
        return self.ask(ApiRequest("GET", path, params))

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        return self.ask(ApiRequest(method, path, body=body))

    def ask(self, request: ApiRequest) -> Json:
        """Send a request and return its answer."""
        return _read(self._request(request))

    def text(self, path: str, params: Params = ()) -> str:
        """Return a page as it stands."""
        answer = self._request(ApiRequest("GET", path, params))
        if answer.status_code != 200:
            raise _refused(answer)
        return answer.text

    def changes(self, after: int | None = None) -> Iterator[ServerSentEvent | None]:
        """Yield None once the stream is open, then changes as they happen."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        yield from self.stream(ApiRequest("GET", "/api/issues/events", headers=headers))

    def follow(self, path: str) -> Iterator[ServerSentEvent]:
        """Yield the events of a stream that ends."""
        return (event for event in self.stream(ApiRequest("GET", path)) if event is not None)

    def steps(self, path: str) -> Iterator[Json]:
        """Yield the steps of a test as they end."""
        request = ApiRequest("POST", path, body={}, headers={"Accept": "text/event-stream"})
        return (event.data for event in self.stream(request) if event is not None)

    def stream(self, request: ApiRequest) -> Iterator[ServerSentEvent | None]:
        """Yield None once the stream is open, then its events."""
        options = request.options | {"timeout": PATIENCE_WITH_STREAMS}
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
            return self._http.request(request.method, request.path, **request.options)
        except HTTPError as error:
            raise _unreachable(self._url, error) from error


class AsyncApiClient:
    """The asynchronous shell. Every call raises ApiProblem, as does making it."""

    def __init__(self, url: str, api_key: str, face: str | None = None) -> None:
        self._url = url
        headers = _headers(api_key, face)
        self._http = AsyncClient(base_url=url, headers=headers, timeout=HTTP_TIMEOUT, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, request: ApiRequest) -> Json:
        """Send a request and return its answer."""
        try:
            answer = await self._http.request(request.method, request.path, **request.options)
        except HTTPError as error:
            raise _unreachable(self._url, error) from error
        return _read(answer)


def _headers(api_key: str, face: str | None) -> dict[str, str]:
    if not (api_key.isascii() and api_key.isprintable()):
        raise ApiProblem("the API key holds characters that no key has: is it another file's text?")
    headers = {"Authorization": f"Bearer {api_key}"}
    return headers if face is None else headers | {CHANNEL_HEADER: face}


def _read(answer: Response) -> Json:
    """Return the answer. One that says how a call stands is one, whatever its status."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    if isinstance(said, dict) and ("state" in said or answer.status_code in {200, 201, 202}):
        return cast(Json, said)
    raise _refused(answer)


def _refused(answer: Response) -> ApiProblem:
    try:
        error = answer.json()["error"]
        message, rule = error["message"], error.get("rule")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, rule = answer.reason_phrase, None
    words = f"the service answered {answer.status_code}: {message}"
    return ApiProblem(words, answer.status_code, str(message), rule)


def _unreachable(url: str, error: HTTPError) -> ApiProblem:
    what = f"the service can't be reached ({type(error).__name__})"
    return ApiProblem(
        f"nothing answers at {url} ({type(error).__name__}); is `calmo-pagerduty up` running?", said=what
    )
