"""The ASGI application: who asks, may they, within which limit, what fails, and then the operation."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.types import Receive, Scope, Send

from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.resources import User
from pagerduty_simulator.rest.account_site import AccountSite, RequestRecord
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, refused
from pagerduty_simulator.rest.calls import Call, Operation
from pagerduty_simulator.rest.faults import CUT, TIMEOUT_AFTER, TIMEOUT_BEFORE
from pagerduty_simulator.rest.router import Router
from pagerduty_simulator.rest.tokens import Token, presented_key

# The key in the ASGI scope's extensions under which our server offers to drop the connection.
DROP_EXTENSION = "pagerduty_simulator.drop_connection"


class RestEndpoint:
    """Serves every path of the API for one site."""

    def __init__(self, site: AccountSite, operations: Iterable[Operation]) -> None:
        self.site = site
        self._router = Router(operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail in the way that the faults say."""
        arrived_at = time.monotonic()
        body = await _whole_body(receive)
        if self.site.latency:
            await asyncio.sleep(self.site.latency.total_seconds())
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = str(uuid.uuid4())
        operation, parameters, missing = self._operation(scope)
        token, fault = None, None
        limit_headers: tuple[tuple[str, str], ...] = ()
        try:
            token = self._token(headers)
            if operation is None:
                raise RestError(missing)
            analytics = operation.path.startswith("/analytics")
            verdict = self.site.limits.take(token.name, operation.id, analytics=analytics)
            limit_headers = verdict.headers
            if not verdict.allowed:
                raise RestError(ERRORS["rate_limited"])
            fault = self.site.faults.next_kind(operation.id, writes=operation.writes)
            answer, extra = self._failure(fault, token)
            limit_headers = extra or limit_headers
            if answer is None and fault != TIMEOUT_BEFORE:
                query = scope["query_string"]
                answer = self._carry_out(operation, token, parameters, headers, query, body, request_id)
        except RestError as error:
            answer = error.answer
        silent = fault in {TIMEOUT_BEFORE, TIMEOUT_AFTER}
        self.site.requests.append(
            RequestRecord(
                scope["method"],
                scope["path"],
                operation.id if operation else None,
                token.name if token else None,
                arrived_at,
                None if silent or answer is None else answer.status,
                fault,
            )
        )
        if silent or answer is None:
            await asyncio.sleep(self.site.faults.hang_seconds)
            await _drop(scope, send)
            return
        if fault == "empty_429":
            limit_headers = ()
        await _write(send, answer, (*limit_headers, ("x-request-id", request_id)), cut=fault == CUT)

    def _operation(self, scope: Scope) -> tuple[Operation | None, tuple[str, ...], Answer]:
        found = self._router.find(scope["path"])
        if found is None:
            return None, (), ERRORS["not_found"]
        operations, parameters = found
        allowed = ", ".join(operations)
        missing = Answer(405, headers=(("allow", allowed),))
        return operations.get(scope["method"]), tuple(unquote(one) for one in parameters), missing

    def _token(self, headers: dict[str, str]) -> Token:
        token = self.site.tokens.get(presented_key(headers.get("authorization", "")) or "")
        if token is None or token.revoked or token.region != self.site.region:
            raise RestError(ERRORS["unauthenticated"])
        return token

    def _failure(self, fault: str | None, token: Token) -> tuple[Answer | None, tuple[tuple[str, str], ...]]:
        answer = ERRORS.get(fault) if fault else None
        if fault == "rate_limited":
            reset = self.site.faults.reset_seconds
            return answer, self.site.limits.waiting_answer(token.name, reset)
        return answer, ()

    def _carry_out(
        self,
        operation: Operation,
        token: Token,
        parameters: tuple[str, ...],
        headers: dict[str, str],
        query: bytes,
        body: bytes,
        request_id: str,
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
        content = _parsed(body, headers) if operation.takes_body else {}
        call = Call(
            site,
            token,
            parameters,
            parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {},
            content,
            self._acting_user(operation, owner, headers),
            request_id,
        )
        try:
            return operation.handle(call)
        except OperationRefused as error:
            raise _as_rest(error) from None

    def _acting_user(self, operation: Operation, owner: User | None, headers: dict[str, str]) -> User | None:
        address = headers.get("from", "").strip().lower()
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


def _parsed(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """Read a JSON object. Raises RestError (400, 2001) for anything else, or without Content-Type."""
    if not headers.get("content-type", "").startswith("application/json"):
        raise RestError(ERRORS["not_a_hash"])
    try:
        content = json.loads(body)
    except ValueError:
        raise RestError(ERRORS["not_a_hash"]) from None
    if not isinstance(content, dict):
        raise RestError(ERRORS["not_a_hash"])
    return content


async def _whole_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _write(send: Send, answer: Answer, headers: tuple[tuple[str, str], ...], *, cut: bool) -> None:
    content = b""
    if answer.text is not None:
        content = answer.text.encode()
    elif answer.body is not None:
        content = json.dumps(answer.body, separators=(",", ":")).encode()
    named = dict((*headers, *answer.headers))
    if content:
        named.setdefault("content-type", "application/json; charset=utf-8")
    if answer.status != 204:
        named["content-length"] = str(len(content))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if cut and content:
        # Returning before the end makes the server close the connection.
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        return
    await send({"type": "http.response.body", "body": content})


async def _drop(scope: Scope, send: Send) -> None:
    drop = scope.get("extensions", {}).get(DROP_EXTENSION)
    if drop is not None:
        drop()
        return
    # Another server: the nearest thing is an answer that breaks off after its headers.
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
