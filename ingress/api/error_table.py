"""The HTTP answer for each of our errors, in one table."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

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
from calmo_pagerduty.performance.report import InvalidPeriod
from calmo_pagerduty.post_incident.service import TooManyAdditions
from calmo_pagerduty.reports.delivery_rules import AddressRefused
from calmo_pagerduty.scheduling.applying import WhatIfRefused
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.scheduling.service import TooManyScenarios
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotUnreadable
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
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
from ingress.api.errors import (
    STATUS_OF_OWN_ERROR,
    ActionRefused,
    AlreadyDecided,
    Ambiguous,
    BodyTooLarge,
    CallStored,
    DecisionRefused,
    NotAnIncident,
    PagerDutySilent,
    ResourceNotFound,
    TokenRefused,
    answer_own_error,
    error_response,
)

logger = logging.getLogger(__name__)

STATUS_OF_ERROR: Mapping[type[Exception], HTTPStatus] = {
    **STATUS_OF_OWN_ERROR,
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
    InvalidPeriod: HTTPStatus.BAD_REQUEST,
    AddressRefused: HTTPStatus.BAD_REQUEST,
    InvalidSelector: HTTPStatus.BAD_REQUEST,
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
    TooManyAdditions: HTTPStatus.CONFLICT,
    NobodyKnown: HTTPStatus.NOT_FOUND,
    InvalidGrant: HTTPStatus.BAD_REQUEST,
    SnapshotNotFound: HTTPStatus.NOT_FOUND,
    SnapshotUnreadable: HTTPStatus.CONFLICT,
    NotOnCall: HTTPStatus.CONFLICT,
    CoverRefused: HTTPStatus.CONFLICT,
    InvalidSettings: HTTPStatus.BAD_REQUEST,
    NotPublished: HTTPStatus.CONFLICT,
    ValidationError: HTTPStatus.BAD_REQUEST,
    RowRefused: HTTPStatus.BAD_REQUEST,
}


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer with the error's status of `STATUS_OF_ERROR` and a message that names the problem."""
    if isinstance(error, ValidationError):
        fields = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {validation_text(problem)}".removeprefix(": ")
            for problem in error.errors()
        )
        return error_response(HTTPStatus.BAD_REQUEST, "; ".join(fields))
    if isinstance(error, StoreUnavailable):
        return await answer_own_error(request, error)
    if isinstance(error, RowRefused):
        logger.error("row_refused", extra={"error": str(error)})
        return error_response(
            HTTPStatus.BAD_REQUEST, "the database can't hold a value of this request, such as a NUL"
        )
    if isinstance(error, TemporalUnavailable):
        stored = "the call is stored and continues by itself; ask again with the same idempotency key"
        advice = stored if isinstance(error, CallStored) else "nothing was started; try again"
        return error_response(HTTPStatus.SERVICE_UNAVAILABLE, f"Temporal can't be reached: {advice}")
    rule = error.rule if isinstance(error, CallRefused) else None
    return error_response(STATUS_OF_ERROR[type(error)], str(error), rule)
