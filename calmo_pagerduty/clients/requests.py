"""Requests to our own REST API, as values. The clients in `clients.rest` send them.

This module imports no HTTP client, which would be slow to import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]
Params = Sequence[tuple[str, str]]

#: Names the channel of a request, for the audit.
CHANNEL_HEADER = "x-calmo-face"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts in seconds: for connecting, and for each part of an answer."""

    connect: float
    read: float


#: Our reads take milliseconds, but the service may share a slow machine.
READ_TIMEOUTS = Timeouts(connect=10.0, read=30.0)
#: The service waits up to 60 s for a call before it answers with a ticket.
CALL_TIMEOUTS = Timeouts(connect=10.0, read=90.0)
#: An open stream sends something at least every 15 s.
STREAM_TIMEOUTS = Timeouts(connect=10.0, read=60.0)


class ApiProblem(ExplainedError):
    """The service can't be reached, or it refuses the request. The message is for a person.

    `status` is the answer's HTTP status. `detail` is the service's message alone, or the network fault.
    `rule` names the rule that refused a call.
    """

    def __init__(
        self, message: str, status: int | None = None, detail: str = "", rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail or message
        self.rule = rule


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """An event of a stream. A reader resumes after its `id`."""

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
    timeouts: Timeouts = READ_TIMEOUTS


def tool_call(
    tool: str,
    arguments: Mapping[str, Any],
    connection: str | None = None,
    idempotency_key: str | None = None,
    wait_seconds: float = 30.0,
) -> ApiRequest:
    """Build a tool call. If it takes longer than `wait_seconds`, the answer is a ticket."""
    body = {
        "connection": connection,
        "arguments": dict(arguments),
        "idempotency_key": idempotency_key,
        "wait_seconds": wait_seconds,
    }
    return _call(f"/api/tools/{quote(tool, safe='')}", body)


def tool_order(
    tool: str, arguments: Mapping[str, Any], idempotency_key: str, connection: str | None = None
) -> ApiRequest:
    """Build the request for a signed order of a tool call, for a workflow."""
    body = {"connection": connection, "arguments": dict(arguments), "idempotency_key": idempotency_key}
    return _call(f"/api/tools/{quote(tool, safe='')}/orders", body)


def issue_action(
    issue_id: str,
    action: str,
    arguments: Mapping[str, Any],
    idempotency_key: str | None = None,
    wait_seconds: float = 30.0,
) -> ApiRequest:
    """Build an action on an issue's incident. After `wait_seconds`, the answer is a ticket."""
    body = {
        "action": action,
        "arguments": dict(arguments),
        "idempotency_key": idempotency_key,
        "wait_seconds": wait_seconds,
    }
    return _call(f"/api/issues/{quote(issue_id, safe='')}/actions", body)


def call_state(call_id: str) -> ApiRequest:
    """Build the request for an earlier call's state."""
    return ApiRequest("GET", f"/api/tool-calls/{quote(call_id, safe='')}", timeouts=CALL_TIMEOUTS)


def _call(path: str, body: Json) -> ApiRequest:
    given = {name: value for name, value in body.items() if value is not None}
    return ApiRequest("POST", path, body=given, timeouts=CALL_TIMEOUTS)
