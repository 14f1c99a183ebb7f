"""How tools are called over HTTP, whether as a tool or as an action on an issue: both say it alike."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from calmo_pagerduty.clients.rest import CHANNEL_HEADER
from calmo_pagerduty.tool_calls.model import MAX_IDEMPOTENCY_KEY, CallState, Channel
from ingress.api.models import Model

CHANNELS: Mapping[str, Channel] = {"cli": Channel.CLI, "mcp": Channel.MCP}
#: How a call that stands so is answered.
HTTP_STATUS_OF_STATE: Mapping[CallState, HTTPStatus] = {
    CallState.DONE: HTTPStatus.OK,
    CallState.WAITING: HTTPStatus.ACCEPTED,
    CallState.RUNNING: HTTPStatus.ACCEPTED,
    CallState.FAILED: HTTPStatus.UNPROCESSABLE_ENTITY,
    CallState.UNKNOWN: HTTPStatus.BAD_GATEWAY,
    CallState.DENIED: HTTPStatus.FORBIDDEN,
    CallState.EXPIRED: HTTPStatus.FORBIDDEN,
    CallState.REFUSED: HTTPStatus.FORBIDDEN,
}
NO_SUCH_RESOURCE = (404, "no such thing, or it is somebody else's")
CALL_STATUSES = (
    NO_SUCH_RESOURCE,
    (202, "it goes on: look at the call"),
    (403, "not allowed; the body says which rule refused it"),
    (409, "the idempotency key was used for another call"),
    (422, "PagerDuty refused it"),
    (429, "the tool's cap of this hour is reached"),
    (502, "it may have been done; look in PagerDuty"),
    (503, "database or Temporal can't be reached; a filed call goes on by itself"),
)

IdempotencyKey = Annotated[str, Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY, pattern=r"^[ -~]+$")]


class _Headers(Model):
    """Named as the body's field: what is wrong with the header is said of that name."""

    idempotency_key: IdempotencyKey | None


def channel_of(request: Request) -> Channel:
    """Return through which of our faces the request came."""
    return CHANNELS.get(request.headers.get(CHANNEL_HEADER, ""), Channel.REST)


def idempotency_key_of(request: Request) -> str | None:
    """Return the header Idempotency-Key. Raises ValidationError."""
    return _Headers(idempotency_key=request.headers.get("idempotency-key")).idempotency_key
