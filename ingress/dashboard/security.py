"""What keeps the dashboard's pages safe in a browser: headers, the session's cookie, checks of every POST.

The content security policy allows no inline script and no inline style, and nothing from elsewhere.
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.api.errors import NotPermitted

#: Every page of the dashboard stands below this path.
ROOT = "/dashboard"
CSP_REPORTS = "/csp-reports"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        f"report-uri {ROOT}{CSP_REPORTS}",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
NO_STORE = "no-store"
#: The cookie's name over https. A browser accepts the prefix only for a secure cookie of this very host.
SECURE_COOKIE = "__Host-calmo-session"
#: The cookie's name over plain http, such as on this machine's loopback address.
PLAIN_COOKIE = "calmo-session"
#: Cookies of a sign-in that is on its way through a provider.
SECURE_FLOW_COOKIE = "__Host-calmo-sign-in"
PLAIN_FLOW_COOKIE = "calmo-sign-in"
CSRF_FIELD = "csrf"


class SecureHeaders:
    """Adds the headers of every answer. An answer that says nothing of caching is not stored."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", NO_STORE)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def is_https(request: Request, public_address: str) -> bool:
    """Tell whether the browser speaks https, to us or to the proxy in front of us."""
    return request.url.scheme == "https" or public_address.startswith("https://")


def session_secret(request: Request, https: bool) -> str | None:
    return request.cookies.get(SECURE_COOKIE if https else PLAIN_COOKIE)


def set_session_cookie(response: Response, secret: str, https: bool, max_age: int) -> None:
    """Give the browser the session's secret. A link from elsewhere may open a page with it (SameSite=Lax)."""
    _set_cookie(response, SECURE_COOKIE if https else PLAIN_COOKIE, secret, https, max_age)


def delete_session_cookie(response: Response, https: bool) -> None:
    _delete_cookie(response, SECURE_COOKIE if https else PLAIN_COOKIE, https)


def flow_secret(request: Request, https: bool) -> str | None:
    return request.cookies.get(SECURE_FLOW_COOKIE if https else PLAIN_FLOW_COOKIE)


def set_flow_cookie(response: Response, secret: str, https: bool, max_age: int) -> None:
    """Give the browser the secret of a sign-in. The provider's way back may carry it (SameSite=Lax)."""
    _set_cookie(response, SECURE_FLOW_COOKIE if https else PLAIN_FLOW_COOKIE, secret, https, max_age)


def delete_flow_cookie(response: Response, https: bool) -> None:
    _delete_cookie(response, SECURE_FLOW_COOKIE if https else PLAIN_FLOW_COOKIE, https)


def _set_cookie(response: Response, name: str, secret: str, https: bool, max_age: int) -> None:
    response.set_cookie(name, secret, max_age=max_age, path="/", secure=https, httponly=True, samesite="lax")


def _delete_cookie(response: Response, name: str, https: bool) -> None:
    response.delete_cookie(name, path="/", secure=https, httponly=True, samesite="lax")


def csrf_token(secret: str) -> str:
    """Return the token of a session's forms: only who has the cookie can compute it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_csrf_token(secret: str, form: FormData) -> None:
    """Raises NotPermitted."""
    given = form.get(CSRF_FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), csrf_token(secret).encode()):
        raise NotPermitted("the form is of another session: reload the page and send it again")


def check_origin(request: Request, public_address: str) -> None:
    """Check that a page of ours sent this POST: browsers say where it comes from. Raises NotPermitted."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host", ""), urlsplit(public_address).netloc}
    of_ours = origin is None or (origin != "null" and urlsplit(origin).netloc in hosts)
    if site not in {None, "same-origin"} or not of_ours or (site is None and origin is None):
        raise NotPermitted("the form was sent from another site, so nothing was done")


def safe_path(path: str | None) -> str:
    """Return a path of the dashboard to go on to; what points anywhere else becomes the first page."""
    if (
        path
        and path.startswith(f"{ROOT}/")
        and not any(char in path for char in "\\\r\n\t")
        and "//" not in path
        and ".." not in path
    ):
        return path
    return f"{ROOT}/now"
