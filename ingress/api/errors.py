"""The errors of our ways in, and the answers that each process needs.

It imports no feature: a door does without them. `ingress/api/error_table.py` knows the features' errors.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable

logger = logging.getLogger(__name__)


class NotAuthenticated(Exception):
    """The API key is missing, malformed, unknown, expired or revoked."""


class NotPermitted(Exception):
    """The API key lacks a permission. The message names it."""


class ResourceNotFound(Exception):
    """It does not exist, or the principal may not see it. The answer is the same for both."""


class Ambiguous(Exception):
    """The name matches several things. The message says how to choose."""


class BodyTooLarge(Exception):
    """The request's body is larger than `MAX_BODY_BYTES`."""


class TooMuchAtOnce(Exception):
    """The API key has too much under way. The message says how much it may have."""


class CallStored(TemporalUnavailable):
    """Temporal can't be reached, but the call is stored and continues once Temporal is back."""


class ActionRefused(Exception):
    """The incident's state forbids the action. The message says why."""


class NotAnIncident(Exception):
    """A finding opened the issue: PagerDuty knows no incident of it. The message says what to do."""


class TokenRefused(Exception):
    """PagerDuty rejects the token, so that it isn't kept. The message says what to do."""


class PagerDutySilent(Exception):
    """PagerDuty can't be asked about what is to be stored, so that it isn't. The message says what to do."""


class DecisionRefused(Exception):
    """The person may not decide on this call. The message says why."""


class AlreadyDecided(Exception):
    """The call no longer waits for a decision. The message says what became of it."""


#: What every endpoint may raise.
STATUS_OF_OWN_ERROR: Mapping[type[Exception], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotPermitted: HTTPStatus.FORBIDDEN,
    TooMuchAtOnce: HTTPStatus.TOO_MANY_REQUESTS,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def error_response(status: int, message: str, rule: str | None = None) -> Response:
    """Return the answer of an error, in the form of all errors."""
    headers = {}
    error: dict[str, object] = {"status": status, "message": message}
    if rule is not None:
        error["rule"] = rule
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return JSONResponse({"error": error}, status, headers)


async def answer_own_error(_request: Request, error: Exception) -> Response:
    """Answer an error of `STATUS_OF_OWN_ERROR`."""
    if isinstance(error, StoreUnavailable):
        logger.error("store_unavailable", extra={"error": str(error)})
        return error_response(HTTPStatus.SERVICE_UNAVAILABLE, "the database can't be reached; try again")
    return error_response(STATUS_OF_OWN_ERROR[type(error)], str(error))


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer an error of the routing (404, 405) in the form of all errors."""
    assert isinstance(error, HTTPException)
    response = error_response(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response
