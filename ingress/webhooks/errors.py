"""What can go wrong with webhooks and with PagerDuty, as HTTP answers: one table."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.domain.api_errors import PagerDutyError, TryAgain
from calmo_pagerduty.domain.event_sets import BadFilter
from calmo_pagerduty.domain.signing_secrets import BadSecret
from calmo_pagerduty.domain.webhooks import NotPossible, without_ids

#: A class stands for those below it, too.
STATUS_OF_WEBHOOK_ERROR: Mapping[type[Exception], HTTPStatus] = {
    BadFilter: HTTPStatus.BAD_REQUEST,
    BadSecret: HTTPStatus.BAD_REQUEST,
    NotPossible: HTTPStatus.CONFLICT,
    TryAgain: HTTPStatus.SERVICE_UNAVAILABLE,
    PagerDutyError: HTTPStatus.BAD_GATEWAY,
}


async def answer_webhook_error(_request: Request, error: Exception) -> Response:
    """Answer with the status of the error's row; PagerDuty's words may repeat an address, ours don't."""
    status = next(
        STATUS_OF_WEBHOOK_ERROR[cls] for cls in type(error).__mro__ if cls in STATUS_OF_WEBHOOK_ERROR
    )
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    message = without_ids(str(error))
    return JSONResponse({"error": {"status": status, "message": message}}, status, headers)
