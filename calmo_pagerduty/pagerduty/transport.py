"""One HTTP exchange: sent once, bounded in time and size, never redirected."""

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
)
from calmo_pagerduty.pagerduty.error_table import is_refined_by_code
from calmo_pagerduty.pagerduty.errors import PagerDutyError, Unreachable
from calmo_pagerduty.pagerduty.requests import ApiRequest
from calmo_pagerduty.pagerduty.responses import CHECK_FIRST_ADVICE, ApiResponse, undocumented_response

#: The largest answer that is read, in bytes, unpacked.
MAX_RESPONSE_BYTES: Final = 20 * 2**20
#: One exchange, from asking for a connection to the answer's last byte.
DEADLINE: Final = timedelta(seconds=30)

_ERRORS_BEFORE_SENDING: Final = (ConnectError, ConnectTimeout, PoolTimeout)


def connect(max_connections: int = 40) -> AsyncClient:
    """Return the HTTP client that a process shares among all its accounts; whoever made it closes it.

    It keeps no cookies, follows no redirect, and reads no proxy from the environment.
    """
    return AsyncClient(
        timeout=Timeout(20.0, connect=5.0, pool=10.0),
        # Shorter than a load balancer's: a connection that it is about to close isn't used again.
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
    """Send `wired`, which is `request` in HTTP, once. Raises Unreachable, NotUnderstood."""
    begun: list[ApiResponse] = []
    failure: PagerDutyError
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await _exchange(http, wired, max_answer, begun)
    except TimeoutError:
        limit = deadline.total_seconds()
        failure = _unreachable(request, f"PagerDuty gave no complete answer within {limit:g} s")
    except DecodingError:
        failure = undocumented_response(request, "PagerDuty's answer can't be unpacked", *begun)
    except _TooLarge:
        failure = undocumented_response(
            request, f"PagerDuty's answer is larger than {max_answer} bytes", *begun
        )
    except HTTPError as error:
        failure = _unreachable(
            request, _describe_fault(error, bool(begun)), sent=not isinstance(error, _ERRORS_BEFORE_SENDING)
        )
    # A refusal is one by its status, even if the rest of it never came; unless the rest says which.
    if begun and begun[0].status >= 300 and not is_refined_by_code(begun[0].status):
        return begun[0]
    # Raised out here so that it drags no HTTP error along, whose request knows the token.
    raise failure


async def _exchange(
    http: AsyncClient, wired: Request, max_answer: int, begun: list[ApiResponse]
) -> ApiResponse:
    response = await http.send(wired, stream=True, follow_redirects=False)
    try:
        headers = {name.lower(): value for name, value in response.headers.items()}
        begun.append(ApiResponse(response.status_code, headers, b""))
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


def _describe_fault(error: HTTPError, begun: bool) -> str:
    """Say what happened by the kind of error: its text may quote what was sent."""
    if isinstance(error, PoolTimeout):
        return "too many calls to PagerDuty are under way"
    if isinstance(error, _ERRORS_BEFORE_SENDING):
        return f"PagerDuty can't be reached ({type(error).__name__})"
    return f"PagerDuty {'broke its answer off' if begun else 'gave no answer'} ({type(error).__name__})"
