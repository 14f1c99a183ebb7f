"""Our errors as HTTP answers: one table."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.incidents.actions import InvalidAction
from calmo_pagerduty.incidents.queries import InvalidCursor
from calmo_pagerduty.kernel.scopes import InvalidScope
from calmo_pagerduty.temporal.handle import TemporalUnavailable
from calmo_pagerduty.tool_calls.authorization_service import (
    CallRefused,
    CapReached,
    NoSuchConnection,
    NoSuchTool,
)
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused
from calmo_pagerduty.tools.arguments import InvalidArguments
from calmo_pagerduty.tools.permissions import InvalidSelector

logger = logging.getLogger(__name__)


class NotAuthenticated(Exception):
    """No API key, or one that is malformed, unknown, expired or revoked."""


class NotPermitted(Exception):
    """The API key lacks a permission; the message names it."""


class ResourceNotFound(Exception):
    """There is no such thing, or it is somebody else's: the answer is the same."""


class Ambiguous(Exception):
    """What was named is several things; the message says how to name one."""


class BodyTooLarge(Exception):
    """The request's body is larger than any that makes sense."""


class CallStored(TemporalUnavailable):
    """Temporal can't be reached, but what was asked for is kept and goes on when it can."""


class ActionRefused(Exception):
    """The incident's state forbids the action; the message says why."""


class DecisionRefused(Exception):
    """The person may not decide on this call; the message says why."""


STATUS_OF_ERROR: Mapping[type[Exception], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotPermitted: HTTPStatus.FORBIDDEN,
    ResourceNotFound: HTTPStatus.NOT_FOUND,
    Ambiguous: HTTPStatus.CONFLICT,
    NoSuchTool: HTTPStatus.NOT_FOUND,
    NoSuchConnection: HTTPStatus.NOT_FOUND,
    CallRefused: HTTPStatus.FORBIDDEN,
    DecisionRefused: HTTPStatus.FORBIDDEN,
    ActionRefused: HTTPStatus.CONFLICT,
    InvalidAction: HTTPStatus.BAD_REQUEST,
    InvalidArguments: HTTPStatus.BAD_REQUEST,
    InvalidSelector: HTTPStatus.BAD_REQUEST,
    CapReached: HTTPStatus.TOO_MANY_REQUESTS,
    IdempotencyKeyReused: HTTPStatus.CONFLICT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TemporalUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    CallStored: HTTPStatus.SERVICE_UNAVAILABLE,
    CannotDecrypt: HTTPStatus.SERVICE_UNAVAILABLE,
    InvalidCursor: HTTPStatus.BAD_REQUEST,
    InvalidScope: HTTPStatus.BAD_REQUEST,
    ValidationError: HTTPStatus.BAD_REQUEST,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def _answer(status: int, message: str, rule: str | None = None) -> Response:
    headers = {}
    error: dict[str, object] = {"status": status, "message": message}
    if rule is not None:
        error["rule"] = rule
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return JSONResponse({"error": error}, status, headers)


async def answer_error(_request: Request, error: Exception) -> Response:
    """Answer with the status of the error's row and a message that names what is wrong."""
    if isinstance(error, ValidationError):
        fields = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return _answer(HTTPStatus.BAD_REQUEST, "; ".join(fields))
    if isinstance(error, StoreUnavailable):
        logger.error("store_unavailable", extra={"error": str(error)})
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "the database can't be reached; try again")
    if isinstance(error, TemporalUnavailable):
        kept = "the call is kept and goes on by itself; ask again with the same key"
        what = kept if isinstance(error, CallStored) else "nothing was begun; ask again"
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, f"Temporal can't be reached: {what}")
    rule = error.rule if isinstance(error, CallRefused) else None
    return _answer(STATUS_OF_ERROR[type(error)], str(error), rule)


async def answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _answer(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response
