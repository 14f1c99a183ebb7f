"""Our own REST API as our CLI uses it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from calmo_pagerduty.http_client import Client, HTTPError, Response, Timeout
from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]


#: A read of ours takes milliseconds; the service may share a slow machine with much else.
PATIENCE = Timeout(30.0, connect=10.0)


class ApiProblem(ExplainedError):
    """The service can't be reached or refuses; the message is for a person. `status` is its answer's."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    id: int
    data: Json
    name: str = ""


class ApiClient:
    """Our REST API with an API key. Every call raises ApiProblem, as does making it."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        if not (api_key.isascii() and api_key.isprintable()):
            raise ApiProblem("the API key holds characters that no key has: is it another file's text?")
        headers = {"Authorization": f"Bearer {api_key}", "X-Calmo-Face": "cli"}
        self._http = Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False)

    def list_issues(self, params: Sequence[tuple[str, str]]) -> Json:
        return self.get("/api/issues", params)

    def show_issue(self, issue_id: str) -> Json:
        return self.get(f"/api/issues/{issue_id}")

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Json:
        return self._json(self._request("GET", path, params=list(params)))

    def text(self, path: str, params: Sequence[tuple[str, str]] = ()) -> str:
        """Return a page as it stands."""
        answer = self._request("GET", path, params=list(params))
        if answer.status_code != 200:
            raise _refused(answer)
        return answer.text

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        return self._json(self._request(method, path, json=body))

    def call(self, path: str, body: Json) -> Json:
        """Call a tool; an answer that says how the call stands is one, whatever its status."""
        answer = self._request("POST", path, json=body, timeout=Timeout(10.0, read=90.0))
        if answer.headers.get("content-type", "").startswith("application/json"):
            said = answer.json()
            if isinstance(said, dict) and "state" in said:
                return said
        return self._json(answer)

    def changes(self, after: int | None = None) -> Iterator[ServerSentEvent | None]:
        """Yield changes as they happen, and None whenever the server says that it is still there."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        yield from self._stream("/api/issues/events", headers)

    def follow(self, path: str) -> Iterator[ServerSentEvent]:
        """Yield the events of a stream that ends."""
        return (event for event in self._stream(path, {}) if event is not None)

    def _stream(self, path: str, headers: dict[str, str]) -> Iterator[ServerSentEvent | None]:
        patience = Timeout(10.0, read=60.0)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=patience) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _refused(answer)
                yield None
                yield from _events(answer.iter_lines())
        except HTTPError as error:
            raise ApiProblem(self._unreachable(error)) from error

    def _request(self, method: str, path: str, **options: Any) -> Response:
        try:
            return self._http.request(method, path, **options)
        except HTTPError as error:
            raise ApiProblem(self._unreachable(error)) from error

    def _json(self, answer: Response) -> Json:
        if answer.status_code not in {200, 201, 202}:
            raise _refused(answer)
        return cast(Json, answer.json())

    def _unreachable(self, error: HTTPError) -> str:
        return f"nothing answers at {self._url} ({type(error).__name__}); is `calmo-pagerduty up` running?"


def _refused(answer: Response) -> ApiProblem:
    try:
        message = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = answer.reason_phrase
    return ApiProblem(f"the service answered {answer.status_code}: {message}", answer.status_code)


def _events(lines: Iterator[str]) -> Iterator[ServerSentEvent | None]:
    identity, data, event = 0, "", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            identity = int(value)
        elif name == "data":
            data += value
        elif name == "event":
            event = value
        elif line == "":
            yield ServerSentEvent(identity, json.loads(data), event) if data else None
            data = event = ""
