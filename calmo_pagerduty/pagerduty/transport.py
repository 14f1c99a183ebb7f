"""One HTTP exchange: it sends the request once, limits time and size, and follows no redirect."""

import asyncio
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

from calmo_pagerduty.http_client import (
    AsyncClient,
    ConnectError,
    ConnectTimeout,
    DecodingError,
    HTTPError,
    Limits,
    PoolTimeout,
    Request,
    Timeout,
    tls_context,
)
from calmo_pagerduty.pagerduty.error_table import is_refined_by_code
from calmo_pagerduty.pagerduty.errors import PagerDutyError, Unreachable
from calmo_pagerduty.pagerduty.requests import ApiRequest
from calmo_pagerduty.pagerduty.responses import CHECK_FIRST_ADVICE, ApiResponse, undocumented_response

#: Maximum size of an answer in bytes, after decompression.
MAX_RESPONSE_BYTES: Final = 20 * 2**20
#: Time limit of one exchange, from requesting a connection to the answer's last byte.
DEADLINE: Final = timedelta(seconds=30)

_ERRORS_BEFORE_SENDING: Final = (ConnectError, ConnectTimeout, PoolTimeout)


def connect(max_connections: int = 40) -> AsyncClient:
    """Return the HTTP client that a process shares among all its accounts. The caller closes it.

    It stores no cookies, follows no redirect, and ignores proxies in the environment.
    """
    return AsyncClient(
        verify=tls_context(),
        timeout=Timeout(20.0, connect=5.0, pool=10.0),
        # Shorter than a load balancer's keep-alive, so that it doesn't close a connection that we reuse.
        limits=Limits(max_connections=max_connections, max_keepalive_connections=20, keepalive_expiry=15.0),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


class _TooLarge(Exception):
    pass


async def exchange(
    http: AsyncClient, request: ApiRequest, wired: Request, deadline: timedelta, max_answer: int
) -> ApiResponse:
    """Send `wired`, the HTTP form of `request`, once. Raises Unreachable, NotUnderstood."""
    received: list[ApiResponse] = []
    failure: PagerDutyError
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await _exchange(http, wired, max_answer, received)
    except TimeoutError:
        limit = deadline.total_seconds()
        failure = _unreachable(request, f"PagerDuty gave no complete answer within {limit:g} s")
    except DecodingError:
        failure = undocumented_response(request, "PagerDuty's answer can't be unpacked", *received)
    except _TooLarge:
        failure = undocumented_response(
            request, f"PagerDuty's answer is larger than {max_answer} bytes", *received
        )
    except HTTPError as error:
        failure = _unreachable(
            request,
            _describe_fault(error, bool(received)),
            sent=not isinstance(error, _ERRORS_BEFORE_SENDING),
        )
    # An error status suffices if the body never came, unless the body would decide the error class.
    if received and received[0].status >= 300 and not is_refined_by_code(received[0].status):
        return received[0]
    # Raised outside the except blocks: the HTTP error's request holds the token and must not be chained.
    raise failure


async def _exchange(
    http: AsyncClient, wired: Request, max_answer: int, received: list[ApiResponse]
) -> ApiResponse:
    response = await http.send(wired, stream=True, follow_redirects=False)
    try:
        headers = {name.lower(): value for name, value in response.headers.items()}
        received.append(ApiResponse(response.status_code, headers, b""))
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > max_answer:
                raise _TooLarge
            parts.append(part)
        return ApiResponse(response.status_code, headers, b"".join(parts))
    finally:
        await response.aclose()


def _unreachable(request: ApiRequest, message: str, sent: bool = True) -> Unreachable:
    doubtful = sent and request.is_write
    error = Unreachable(message, advice=CHECK_FIRST_ADVICE if doubtful else "try again later")
    error.may_have_happened = doubtful
    return error


def _describe_fault(error: HTTPError, received: bool) -> str:
    """Describe the error by its class only: its text may quote the request."""
    if isinstance(error, PoolTimeout):
        return "too many calls to PagerDuty are in progress"
    if isinstance(error, _ERRORS_BEFORE_SENDING):
        return f"PagerDuty can't be reached ({type(error).__name__})"
    return f"PagerDuty {'broke off its answer' if received else 'gave no answer'} ({type(error).__name__})"
