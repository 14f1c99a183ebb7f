"""The HTTP answer for each error of webhooks and of PagerDuty, in one table."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.pagerduty.errors import PagerDutyError, TryAgain
from calmo_pagerduty.webhooks.event_filters import InvalidFilter
from calmo_pagerduty.webhooks.lifecycle import WebhookConflict, redact_webhook_ids
from calmo_pagerduty.webhooks.signing_secrets import InvalidSecret

#: A class also stands for its subclasses.
STATUS_OF_WEBHOOK_ERROR: Mapping[type[Exception], HTTPStatus] = {
    InvalidFilter: HTTPStatus.BAD_REQUEST,
    InvalidSecret: HTTPStatus.BAD_REQUEST,
    WebhookConflict: HTTPStatus.CONFLICT,
    TryAgain: HTTPStatus.SERVICE_UNAVAILABLE,
    PagerDutyError: HTTPStatus.BAD_GATEWAY,
}


async def answer_webhook_error(_request: Request, error: Exception) -> Response:
    """Answer with the error's status. PagerDuty's text may repeat a webhook's address, so it is redacted."""
    status = next(
        STATUS_OF_WEBHOOK_ERROR[cls] for cls in type(error).__mro__ if cls in STATUS_OF_WEBHOOK_ERROR
    )
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    message = redact_webhook_ids(str(error))
    return JSONResponse({"error": {"status": status, "message": message}}, status, headers)
