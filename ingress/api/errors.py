"""The HTTP answer for each of our errors, in one table."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.absences.ics import CalendarRefused
from calmo_pagerduty.absences.model import TooManyCalendars
from calmo_pagerduty.access.people_service import NobodyKnown
from calmo_pagerduty.access.roles import InvalidGrant
from calmo_pagerduty.access.saved_view_store import TooManyViews
from calmo_pagerduty.db.database import RowRefused, StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.findings.lifecycle import FindingDecisionRefused
from calmo_pagerduty.incidents.actions import InvalidAction
from calmo_pagerduty.incidents.queries import InvalidCursor
from calmo_pagerduty.kernel.scopes import InvalidScope
from calmo_pagerduty.kernel.validation_text import validation_text
from calmo_pagerduty.scheduling.applying import WhatIfRefused
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.scheduling.service import TooManyScenarios
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotUnreadable
from calmo_pagerduty.temporal.handle import TemporalUnavailable
from calmo_pagerduty.tool_calls.authorization_service import (
    CallRefused,
    CapReached,
    ConnectionAmbiguous,
    NoSuchConnection,
    NoSuchTool,
)
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused
from calmo_pagerduty.tools.arguments import InvalidArguments
from calmo_pagerduty.tools.permissions import InvalidSelector
from calmo_pagerduty.workload.cover import NotOnCall
from calmo_pagerduty.workload.cover_requests import CoverRefused
from calmo_pagerduty.workload.rules import InvalidSettings
from calmo_pagerduty.workload.settings_service import NotPublished

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


STATUS_OF_ERROR: Mapping[type[Exception], HTTPStatus] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotPermitted: HTTPStatus.FORBIDDEN,
    ResourceNotFound: HTTPStatus.NOT_FOUND,
    Ambiguous: HTTPStatus.CONFLICT,
    NoSuchTool: HTTPStatus.NOT_FOUND,
    NoSuchConnection: HTTPStatus.NOT_FOUND,
    ConnectionAmbiguous: HTTPStatus.CONFLICT,
    CallRefused: HTTPStatus.FORBIDDEN,
    DecisionRefused: HTTPStatus.FORBIDDEN,
    AlreadyDecided: HTTPStatus.CONFLICT,
    FindingDecisionRefused: HTTPStatus.CONFLICT,
    ActionRefused: HTTPStatus.CONFLICT,
    NotAnIncident: HTTPStatus.CONFLICT,
    InvalidAction: HTTPStatus.BAD_REQUEST,
    TokenRefused: HTTPStatus.BAD_REQUEST,
    PagerDutySilent: HTTPStatus.BAD_GATEWAY,
    InvalidArguments: HTTPStatus.BAD_REQUEST,
    InvalidSelector: HTTPStatus.BAD_REQUEST,
    TooMuchAtOnce: HTTPStatus.TOO_MANY_REQUESTS,
    CapReached: HTTPStatus.TOO_MANY_REQUESTS,
    IdempotencyKeyReused: HTTPStatus.CONFLICT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TemporalUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    CallStored: HTTPStatus.SERVICE_UNAVAILABLE,
    CannotDecrypt: HTTPStatus.SERVICE_UNAVAILABLE,
    InvalidCursor: HTTPStatus.BAD_REQUEST,
    InvalidScope: HTTPStatus.BAD_REQUEST,
    ScenarioInvalid: HTTPStatus.BAD_REQUEST,
    WhatIfRefused: HTTPStatus.CONFLICT,
    TooManyScenarios: HTTPStatus.CONFLICT,
    CalendarRefused: HTTPStatus.BAD_REQUEST,
    TooManyCalendars: HTTPStatus.CONFLICT,
    TooManyViews: HTTPStatus.CONFLICT,
    NobodyKnown: HTTPStatus.NOT_FOUND,
    InvalidGrant: HTTPStatus.BAD_REQUEST,
    SnapshotNotFound: HTTPStatus.NOT_FOUND,
    SnapshotUnreadable: HTTPStatus.CONFLICT,
    NotOnCall: HTTPStatus.CONFLICT,
    CoverRefused: HTTPStatus.CONFLICT,
    InvalidSettings: HTTPStatus.BAD_REQUEST,
    NotPublished: HTTPStatus.CONFLICT,
    ValidationError: HTTPStatus.BAD_REQUEST,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    RowRefused: HTTPStatus.BAD_REQUEST,
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
    """Answer with the error's status of `STATUS_OF_ERROR` and a message that names the problem."""
    if isinstance(error, ValidationError):
        fields = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {validation_text(problem)}".removeprefix(": ")
            for problem in error.errors()
        )
        return _answer(HTTPStatus.BAD_REQUEST, "; ".join(fields))
    if isinstance(error, StoreUnavailable):
        logger.error("store_unavailable", extra={"error": str(error)})
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "the database can't be reached; try again")
    if isinstance(error, RowRefused):
        logger.error("row_refused", extra={"error": str(error)})
        return _answer(
            HTTPStatus.BAD_REQUEST, "the database can't hold a value of this request, such as a NUL"
        )
    if isinstance(error, TemporalUnavailable):
        stored = "the call is stored and continues by itself; ask again with the same idempotency key"
        advice = stored if isinstance(error, CallStored) else "nothing was started; try again"
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, f"Temporal can't be reached: {advice}")
    rule = error.rule if isinstance(error, CallRefused) else None
    return _answer(STATUS_OF_ERROR[type(error)], str(error), rule)


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer an error of the routing (404, 405) in the form of all errors."""
    assert isinstance(error, HTTPException)
    response = _answer(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response
