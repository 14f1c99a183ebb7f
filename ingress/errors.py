"""Our errors as HTTP answers: one table."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.domain.scopes import InvalidScope
from calmo_pagerduty.store.database import StoreUnavailable
from calmo_pagerduty.store.issue_queries import InvalidCursor

logger = logging.getLogger(__name__)


class NotAuthenticated(Exception):
    """No API key, or one that is malformed, unknown, expired or revoked."""


class NotPermitted(Exception):
    """The API key lacks a permission; the message names it."""


class NotFound(Exception):
    """There is no such thing, or it is somebody else's: the answer is the same."""


STATUS_OF_ERROR: Mapping[type[Exception], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotPermitted: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    InvalidCursor: HTTPStatus.BAD_REQUEST,
    InvalidScope: HTTPStatus.BAD_REQUEST,
    ValidationError: HTTPStatus.BAD_REQUEST,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def _answer(status: int, message: str) -> Response:
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return JSONResponse({"error": {"status": status, "message": message}}, status, headers)


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
    return _answer(STATUS_OF_ERROR[type(error)], str(error))


async def answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _answer(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response
