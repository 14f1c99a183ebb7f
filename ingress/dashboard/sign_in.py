"""The ways to sign in. Each way ends in a session of an API key, with exactly its rights.

Nobody has a session yet, so these forms have no token: the check of the request's origin keeps others from
signing a browser in.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import parse_qs

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from calmo_pagerduty.access import session_store, store as api_keys
from calmo_pagerduty.access.id_tokens import TokenInvalid
from calmo_pagerduty.access.provider_client import ProviderUnavailable
from calmo_pagerduty.access.sign_in_audit_store import audit_failed_sign_in
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from ingress.api.endpoints import read_body
from ingress.api.errors import NotAuthenticated
from ingress.dashboard import security
from ingress.dashboard.oidc import WAY as PROVIDER, ProviderSignIn, SignInRefused, explain_refusal
from ingress.dashboard.rendering import Renderer
from ingress.dashboard.sessions import Sessions
from ingress.dashboard.sign_in_limits import SignInLimits

MAX_FORM_FIELDS = 10
MAX_LOGOUT_BYTES = 128 * 1024
TOO_MANY = "Too many sign-ins failed or were begun from your address. Wait a minute and try again."

#: From the form to the key that signs in. Raises NotAuthenticated, which says what is wrong and what to do.
Prove: TypeAlias = Callable[[Database, FormData], Awaitable[Principal]]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to sign in. Its form is `templates/sign_in/NAME.html`, on the sign-in page if `is_offered`.

    The way through an OpenID provider (`ingress.dashboard.oidc`) has a link for a form, and its own routes.
    """

    name: str
    prove: Prove
    is_offered: bool = True


async def prove_link(database: Database, form: FormData) -> Principal:
    """Use a one-time link. Raises NotAuthenticated."""
    token, now = _text(form, "token"), datetime.now(UTC)
    principal = await database.write(lambda t: session_store.claim_link(t, token, now))
    if principal is None:
        raise NotAuthenticated(
            "This link was used or is older than 15 minutes. Get a new one: calmo-pagerduty dashboard"
        )
    return principal


async def prove_key(database: Database, form: FormData) -> Principal:
    """Sign in with an API key. Raises NotAuthenticated."""
    key, now = _text(form, "key").strip(), datetime.now(UTC)
    principal = await database.read(lambda t: api_keys.get_principal_by_key(t, key, now))
    if principal is None:
        raise NotAuthenticated("This API key is not valid: it is mistyped, expired or revoked.")
    return principal


WAYS = (Way("link", prove_link, is_offered=False), Way("key", prove_key))


class SignIn:
    """The sign-in page, and the POSTs of its forms."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        renderer: Renderer,
        public_address: str,
        provider: ProviderSignIn | None,
    ) -> None:
        self._database = database
        self._provider = provider
        self._limits = SignInLimits()
        self._sessions = sessions
        self._renderer = renderer
        self._public_address = public_address

    async def show(self, request: Request) -> Response:
        """GET /dashboard/sign-in, and GET /dashboard/sign-in/link?token=…, which uses nothing up yet."""
        return self._page(request, by_link=request.url.path.endswith("/link"))

    async def post(self, request: Request) -> Response:
        """POST /dashboard/sign-in/{way}. Raises NotPermitted, StoreUnavailable."""
        security.check_origin(request, self._public_address)
        way = next((way for way in WAYS if way.name == request.path_params["way"]), None)
        form = await request.form(max_files=0, max_fields=MAX_FORM_FIELDS)
        if way is None:
            return self._page(request, 404, "There is no such way to sign in.")
        try:
            principal = await way.prove(self._database, form)
        except NotAuthenticated as error:
            return await self._failed(request, way.name, 401, str(error))
        response = RedirectResponse(security.safe_path(_text(form, "next")), 303)
        await self._sessions.begin(request, response, principal, way.name)
        return response

    async def to_provider(self, request: Request) -> Response:
        """GET /dashboard/sign-in/oidc?next=…  Raises StoreUnavailable."""
        if self._provider is None:
            return self._page(request, 404, "There is no such way to sign in.")
        if not self._limits.admits_begin(request):
            return self._page(request, 429, TOO_MANY)
        then = security.safe_path(request.query_params.get("next"))
        try:
            return await self._provider.begin(then, self._sessions.is_https(request))
        except ProviderUnavailable as error:
            return self._page(request, *explain_refusal(error))

    async def from_provider(self, request: Request) -> Response:
        """GET /dashboard/sign-in/oidc/callback?code=…&state=…  Raises StoreUnavailable."""
        if self._provider is None:
            return self._page(request, 404, "There is no such way to sign in.")
        https = self._sessions.is_https(request)
        try:
            proved = await self._provider.end(request, https)
        except (SignInRefused, TokenInvalid, ProviderUnavailable) as error:
            answer = await self._failed(request, PROVIDER, *explain_refusal(error))
        else:
            answer = RedirectResponse(security.safe_path(proved.next), 303)
            await self._sessions.begin(
                request, answer, proved.principal, PROVIDER, proved.lifetime, proved.session
            )
        security.delete_flow_cookie(answer, https)
        return answer

    async def log_out(self, request: Request) -> Response:
        """POST /dashboard/sign-in/oidc/back-channel-logout: the provider says that somebody signed out there.

        The provider sends it, and no browser: what counts is the token's signature. Raises BodyTooLarge,
        StoreUnavailable.
        """
        if self._provider is None:
            return self._page(request, 404, "There is no such way to sign in.")
        body = (await read_body(request, MAX_LOGOUT_BYTES)).decode("ascii", "replace")
        try:
            await self._provider.log_out(_logout_token(body))
        except (TokenInvalid, ProviderUnavailable) as error:
            return await self._refuse_logout(request, error)
        return Response(status_code=200)

    async def _refuse_logout(self, request: Request, error: TokenInvalid | ProviderUnavailable) -> Response:
        if not self._limits.admits_failure(request):
            return JSONResponse({"error": "slow_down"}, 429)
        now = datetime.now(UTC)
        await self._database.write(lambda t: audit_failed_sign_in(t, "back-channel logout", now))
        if isinstance(error, ProviderUnavailable):
            # The provider may send it again.
            return JSONResponse({"error": "temporarily_unavailable"}, 503)
        return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)

    async def _failed(self, request: Request, way: str, status: int, problem: str) -> Response:
        """Answer a sign-in that failed, and audit it unless there were too many."""
        if not self._limits.admits_failure(request):
            return self._page(request, 429, TOO_MANY)
        now = datetime.now(UTC)
        await self._database.write(lambda t: audit_failed_sign_in(t, way, now))
        return self._page(request, status, problem)

    def _page(
        self, request: Request, status: int = 200, problem: str | None = None, by_link: bool = False
    ) -> Response:
        return self._renderer.response(
            request,
            "sign_in/page.html",
            status,
            title="Sign in",
            ways=[way.name for way in WAYS if way.is_offered],
            has_provider=self._provider is not None,
            problem=problem,
            token=request.query_params.get("token", "") if by_link else "",
            next=security.safe_path(request.query_params.get("next")),
        )


def _logout_token(body: str) -> str:
    """Return the token of a provider's form. Raises TokenInvalid."""
    try:
        tokens = parse_qs(body, max_num_fields=MAX_FORM_FIELDS).get("logout_token", [])
    except ValueError:
        tokens = []
    if len(tokens) != 1:
        raise TokenInvalid("the form has no logout_token, or several")
    return tokens[0]


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value[:4096] if isinstance(value, str) else ""
