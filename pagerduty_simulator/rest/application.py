"""The REST API as Starlette routes: authentication, rate limits, injected faults, permissions, operation."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.resources import User
from pagerduty_simulator.rest.account_site import AccountSite, RequestRecord
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, as_v3, refused
from pagerduty_simulator.rest.calls import Call, Operation
from pagerduty_simulator.rest.faults import CUT, TIMEOUT_AFTER, TIMEOUT_BEFORE
from pagerduty_simulator.rest.inclusions import check_inclusions
from pagerduty_simulator.rest.tokens import Token, presented_key

# The key in the ASGI scope's extensions with our server's function that drops the connection.
DROP_EXTENSION: Final = "pagerduty_simulator.drop_connection"

_Headers = tuple[tuple[str, str], ...]


def rest_routes(site: AccountSite, operations: Iterable[Operation]) -> list[Route]:
    """Return one route per path of the API, and a last route for any other path.

    Starlette takes the first matching route. So after the first segment, literals come before parameters
    (/users/me is not a user's id), and the most used paths, /incidents, come first.
    """
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    firsts = list(dict.fromkeys(_segments(path)[0] for path in by_path))

    def order(path: str) -> tuple[int, list[bool]]:
        first, *others = _segments(path)
        return firsts.index(first), [segment == "{}" for segment in others]

    routes = [Route(_named(path), _Resource(site, by_path[path])) for path in sorted(by_path, key=order)]
    return [*routes, Route("/{path:path}", _Resource(site, {}))]


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _named(path: str) -> str:
    """Return the path with its parameters numbered: /users/{p0}/contact_methods/{p1}."""
    first, *others = path.split("{}")
    return first + "".join(f"{{p{number}}}{other}" for number, other in enumerate(others))


@dataclass(slots=True)
class _Outcome:
    """The state of a request so far."""

    token: Token | None = None
    fault: str | None = None
    answer: Answer | None = None
    limit_headers: _Headers = ()

    @property
    def is_silent(self) -> bool:
        """Return whether the client gets no response."""
        return self.answer is None or self.fault in {TIMEOUT_BEFORE, TIMEOUT_AFTER}


class _Resource:
    """An ASGI application: the operations of one path, by method; an unknown path (404) has none."""

    def __init__(self, site: AccountSite, operations: Mapping[str, Operation]) -> None:
        self.site = site
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, or fail as the injected fault says."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        arrived_at = time.monotonic()
        body = await request.body()
        if self.site.latency:
            await asyncio.sleep(self.site.latency.total_seconds())
        request_id = str(uuid.uuid4())
        operation, outcome = self._operations.get(request.method), _Outcome()
        try:
            self._process(outcome, operation, request, body, request_id)
        except RestError as error:
            is_v3 = operation is not None and operation.path.startswith("/v3/")
            outcome.answer = as_v3(error.answer) if is_v3 else error.answer
        answer, fault = outcome.answer, outcome.fault
        self.site.requests.append(
            RequestRecord(
                request.method,
                request.scope["path"],
                operation.id if operation else None,
                outcome.token.name if outcome.token else None,
                arrived_at,
                None if answer is None or outcome.is_silent else answer.status,
                fault,
            )
        )
        if answer is None or outcome.is_silent:
            await self.site.faults.hang()
            return _Dropped()
        limit_headers = () if fault == "empty_429" else outcome.limit_headers
        headers = (*limit_headers, ("x-request-id", request_id))
        return _response(answer, headers, _CutOff if fault == CUT else Response)

    def _process(
        self, outcome: _Outcome, operation: Operation | None, request: Request, body: bytes, request_id: str
    ) -> None:
        """Fill in the outcome. Raises RestError."""
        outcome.token = token = self._token(request)
        if operation is None:
            raise RestError(self._missing())
        analytics = operation.path.startswith("/analytics")
        verdict = self.site.limits.take(token.name, operation.id, analytics=analytics)
        outcome.limit_headers = verdict.headers
        if not verdict.allowed:
            raise RestError(ERRORS["rate_limited"])
        outcome.fault = fault = self.site.faults.next_kind(operation.id, writes=operation.writes)
        if fault == "rate_limited":
            reset = self.site.faults.reset_seconds
            outcome.limit_headers = self.site.limits.waiting_answer(token.name, reset)
        outcome.answer = ERRORS.get(fault) if fault else None
        if outcome.answer is None and fault != TIMEOUT_BEFORE:
            outcome.answer = self._carry_out(operation, token, request, body, request_id)

    def _missing(self) -> Answer:
        """Return the response to a method that this path doesn't have."""
        if not self._operations:
            return ERRORS["not_found"]
        return Answer(405, headers=(("allow", ", ".join(self._operations)),))

    def _token(self, request: Request) -> Token:
        token = self.site.tokens.get(presented_key(request.headers.get("authorization", "")) or "")
        if token is None or token.revoked or token.region != self.site.region:
            raise RestError(ERRORS["unauthenticated"])
        return token

    def _carry_out(
        self, operation: Operation, token: Token, request: Request, body: bytes, request_id: str
    ) -> Answer:
        site = self.site
        site.tick()
        owner = site.account.users.get(token.user_id or "")
        if token.user_id is not None and owner is None:
            raise RestError(ERRORS["unauthenticated"])
        role = owner.role if owner else None
        if not token.may(operation.scope, writes=operation.writes, role=role):
            raise RestError(ERRORS["access_denied"])
        if operation.ability is not None and operation.ability not in site.abilities:
            raise RestError(ERRORS["no_ability"])
        content = _parsed(body, request) if operation.takes_body else {}
        query = request.scope["query_string"].decode("latin-1")
        parameters = parse_qs(query, keep_blank_values=True) if query else {}
        check_inclusions(operation.id, parameters)
        call = Call(
            site,
            token,
            tuple(request.path_params.values()),
            parameters,
            content,
            self._acting_user(operation, owner, request),
            request_id,
        )
        try:
            return operation.handle(call)
        except OperationRefused as error:
            raise _as_rest(error) from None

    def _acting_user(self, operation: Operation, owner: User | None, request: Request) -> User | None:
        address = request.headers.get("from", "").strip().lower()
        if owner is not None or not operation.writes:
            return owner
        if not address:
            if operation.from_required:
                raise RestError(ERRORS["from_missing"])
            return None
        for user in self.site.account.users.values():
            if user.email.lower() == address:
                return user
        raise RestError(ERRORS["from_unknown"])


def _as_rest(error: OperationRefused) -> RestError:
    if error.code == 2100:
        return RestError(ERRORS["not_found"])
    if error.code == 2002:
        return RestError(ERRORS["open_key"])
    return refused(400, error.code, str(error))


def _parsed(body: bytes, request: Request) -> dict[str, Any]:
    """Parse a JSON object. Raises RestError (400, 2001) for another body or another Content-Type."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RestError(ERRORS["not_a_hash"])
    try:
        content = json.loads(body)
    except ValueError:
        raise RestError(ERRORS["not_a_hash"]) from None
    if not isinstance(content, dict):
        raise RestError(ERRORS["not_a_hash"])
    return content


def _response(answer: Answer, headers: _Headers, kind: type[Response]) -> Response:
    content = b""
    if answer.text is not None:
        content = answer.text.encode()
    elif answer.body is not None:
        content = json.dumps(answer.body, separators=(",", ":")).encode()
    named = dict((*headers, *answer.headers))
    if content:
        named.setdefault("content-type", "application/json; charset=utf-8")
    return kind(content, answer.status, named)


class _CutOff(Response):
    """A response that ends in the middle of its body: the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.body:
            await super().__call__(scope, receive, send)
            return
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})


class _Dropped(Response):
    """No response: the server drops the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drop = scope.get("extensions", {}).get(DROP_EXTENSION)
        if drop is not None:
            drop()
            return
        # Another server can't drop the connection: send headers only, and end before the body.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
