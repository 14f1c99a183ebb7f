"""What the endpoints for tool calls and for actions share: channel, idempotency key and HTTP statuses."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from calmo_pagerduty.clients.requests import CHANNEL_HEADER
from calmo_pagerduty.tool_calls.model import MAX_IDEMPOTENCY_KEY, CallState, Channel
from ingress.api.models import Model

CHANNELS: Mapping[str, Channel] = {"cli": Channel.CLI, "mcp": Channel.MCP}
#: The HTTP status for a call in each state.
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
NO_SUCH_RESOURCE = (404, "it does not exist, or this API key may not see it")
CALL_STATUSES = (
    NO_SUCH_RESOURCE,
    (202, "the call is not finished; ask for its state by its id"),
    (403, "the call is not allowed; the body names the rule"),
    (409, "the idempotency key was used for another call"),
    (422, "PagerDuty refused the call"),
    (429, "the tool has reached its limit of calls per hour"),
    (502, "PagerDuty may have carried out the call; check there"),
    (503, "database or Temporal can't be reached; a stored call continues by itself"),
)

IdempotencyKey = Annotated[str, Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY, pattern=r"^[ -~]+$")]


class _Headers(Model):
    """The header Idempotency-Key. Its name equals the body's field, so errors name that field."""

    idempotency_key: IdempotencyKey | None


def channel_of(request: Request) -> Channel:
    """Return the channel of the request: CLI and MCP name themselves in a header, all else is REST."""
    return CHANNELS.get(request.headers.get(CHANNEL_HEADER, ""), Channel.REST)


def idempotency_key_of(request: Request) -> str | None:
    """Return the header Idempotency-Key. Raises ValidationError."""
    return _Headers(idempotency_key=request.headers.get("idempotency-key")).idempotency_key
