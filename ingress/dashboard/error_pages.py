"""Error pages: what is wrong, and what to do. The statuses are those of the REST API."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.webhooks.lifecycle import redact_webhook_ids
from ingress.api.error_table import STATUS_OF_ERROR
from ingress.api.errors import NotAuthenticated
from ingress.dashboard.rendering import Renderer, address_of
from ingress.dashboard.security import ROOT
from ingress.webhooks.errors import STATUS_OF_WEBHOOK_ERROR

logger = logging.getLogger(__name__)

#: Every error that pages answer, with its status.
STATUS_OF: Mapping[type[Exception], HTTPStatus] = {**STATUS_OF_ERROR, **STATUS_OF_WEBHOOK_ERROR}
#: Statuses of errors that are about what a form says, or about the state of its object here or at PagerDuty.
SAID_ON_THE_PAGE = frozenset({400, 403, 409, 422, 429, 502})
#: What to do about a status; the first line says what is wrong where the error itself does not.
ADVICE: Mapping[int, tuple[str, str]] = {
    400: ("The address or the form holds something that this page does not take.", "Go back and correct it."),
    403: (
        "You may not do this.",
        "Ask an administrator for an API key with the permission, and sign in with it.",
    ),
    404: ("There is no such page, or you may not see it.", "Check the address, or begin at Now."),
    405: ("This address does not take that.", "Begin at Now."),
    409: ("It is no longer in the state that you saw.", "Reload the page and look again."),
    413: ("The form is too large.", "Shorten it."),
    422: ("PagerDuty refused it.", "The message says why."),
    429: ("There were too many requests.", "Wait a minute and try again."),
    500: (
        "Something went wrong here, and it is logged.",
        "Try again. If it stays, run: calmo-pagerduty doctor.",
    ),
    502: ("PagerDuty refused it, or can't be asked.", "The message says why. Nothing is lost."),
    503: (
        "The database or Temporal can't be reached. Incidents are still received and kept.",
        "Try again in some seconds. The command calmo-pagerduty health says which part does not answer.",
    ),
}
OTHER = ("This can't be shown.", "Begin at Now.")


class ErrorPages:
    """Answers errors with pages. Who has not signed in is led to the sign-in page."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def answer(self, request: Request, error: Exception) -> Response:
        """Answer an error of the REST API's table, or one of the routing."""
        if isinstance(error, NotAuthenticated):
            return self._to_sign_in(request)
        if isinstance(error, HTTPException):
            return self._page(request, error.status_code, None)
        if isinstance(error, StoreUnavailable):
            logger.error("store_unavailable", extra={"error": str(error)})
            return self._page(request, HTTPStatus.SERVICE_UNAVAILABLE, None)
        return self._page(request, status_of(error), explain(error))

    async def answer_fault(self, request: Request, _error: Exception) -> Response:
        """Answer a fault of ours, which the server logs."""
        return self._page(request, HTTPStatus.INTERNAL_SERVER_ERROR, None)

    def _to_sign_in(self, request: Request) -> Response:
        if request.headers.get("hx-request"):
            # A part of a page: the whole page must be loaded anew.
            return Response(status_code=401, headers={"HX-Refresh": "true"})
        then = address_of(request) if request.method == "GET" else f"{ROOT}/now"
        return RedirectResponse(f"{ROOT}/sign-in?{urlencode({'next': then})}", 303)

    def _page(self, request: Request, status: int, explanation: str | None) -> Response:
        wrong, advice = ADVICE.get(status, OTHER)
        response = self._renderer.response(
            request,
            "error.html",
            status,
            title=HTTPStatus(status).phrase,
            code=int(status),
            wrong=explanation or wrong,
            advice=advice,
        )
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = "5"
        return response


def status_of(error: Exception) -> HTTPStatus:
    """Return the status of an error of the REST API's tables."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def explain(error: Exception) -> str:
    """Return an error's words for a person. PagerDuty's text may repeat a webhook's address: it is masked."""
    if isinstance(error, ValidationError):
        problems = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return "; ".join(problems)
    return redact_webhook_ids(str(error))
