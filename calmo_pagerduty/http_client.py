"""The only module that imports httpx and packages based on it, so that they are easy to replace."""

import sys
from functools import cache
from ssl import SSLContext

# httpx tries to import its command line, and with it click, rich and pygments, which would delay the start
# of every process. Without `httpx._main`, it works as if they were not installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # means: not there

from httpx import (  # noqa: E402 - after the line above
    URL,
    AsyncClient,
    Client,
    ConnectError,
    ConnectTimeout,
    DecodingError,
    HTTPError,
    InvalidURL,
    Limits,
    PoolTimeout,
    Request,
    Response,
    Timeout,
    TimeoutException,
    create_ssl_context,
)
from httpx_sse import EventSource  # noqa: E402 - it imports httpx

__all__ = [
    "URL",
    "AsyncClient",
    "Client",
    "ConnectError",
    "ConnectTimeout",
    "DecodingError",
    "EventSource",
    "HTTPError",
    "InvalidURL",
    "Limits",
    "PoolTimeout",
    "Request",
    "Response",
    "Timeout",
    "TimeoutException",
    "tls_context",
]


@cache
def tls_context() -> SSLContext:
    """Return the process's one TLS context: it trusts certifi's certificates, whatever the environment says.

    Clients share it, because loading the certificates takes 17 ms of CPU. Nobody may change it.
    """
    return create_ssl_context(trust_env=False)
