"""Refuse requests for host names that are not ours, so that a foreign page can't reach us by DNS rebinding.

There a page's own host name comes to mean our address, and the browser takes both for one site. Its requests
still carry the foreign name. An address of digits is never refused, because nobody can rebind it.
"""

import ipaddress
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from calmo_pagerduty.settings import Settings


class AllowedHosts:
    """Answers 421 to a request for any other host name (RFC 9110, section 15.5.20)."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if scope["type"] != "http" or is_allowed(host, self._names):
            await self._app(scope, receive, send)
            return
        message = f"{host_name(host)[:100]!r} is no name of this service: CALMO_ALLOWED_HOSTS lists its names"
        error = {"status": int(HTTPStatus.MISDIRECTED_REQUEST), "message": message}
        answer = JSONResponse({"error": error}, HTTPStatus.MISDIRECTED_REQUEST)
        answer.headers["Cache-Control"] = "no-store"
        await answer(scope, receive, send)


def allowed_names(settings: Settings) -> frozenset[str]:
    """Return the host names that requests may be for; empty if they may be for any.

    The names in our own addresses are among them.
    """
    listed = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
    if not listed:
        return frozenset()
    addresses = (settings.public_address, settings.webhook_address, settings.api_address)
    return frozenset(listed | {urlsplit(address).hostname or "" for address in addresses})


def is_allowed(host: str, names: Collection[str]) -> bool:
    """Tell whether the header `Host` is one of the names, with any port, or an IP address."""
    name = host_name(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def host_name(host: str) -> str:
    """Return the name in a header `Host`, in lower case, without port, brackets and final dot."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""
