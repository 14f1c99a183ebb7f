"""What is asked of our own REST API, as values: a shell of `clients.rest` sends them.

Nothing here needs an HTTP client, which takes a while to import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]
Params = Sequence[tuple[str, str]]

#: Says through which of our faces a request comes, for the audit.
CHANNEL_HEADER = "x-calmo-face"


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds to wait: for a connection, and for each part of an answer."""

    connect: float
    read: float


#: A read of ours takes milliseconds; the service may share a slow machine with much else.
PATIENCE_WITH_READS = Patience(connect=10.0, read=30.0)
#: The service itself waits up to 60 s for a call before it answers with a ticket.
PATIENCE_WITH_CALLS = Patience(connect=10.0, read=90.0)
#: A stream that goes on says at least each 15 s that it is still there.
PATIENCE_WITH_STREAMS = Patience(connect=10.0, read=60.0)


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
    patience: Patience = PATIENCE_WITH_READS


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
