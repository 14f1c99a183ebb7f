"""Sign in through an OpenID provider: to it and back. It ends in a session of the person's own key."""

import hmac
import logging
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from calmo_pagerduty.access import people_service, sign_in_flow_store as flows
from calmo_pagerduty.access.id_tokens import Claims, TokenInvalid
from calmo_pagerduty.access.logout_tokens import MAX_ID_LENGTH
from calmo_pagerduty.access.provider_client import Client, Provider, ProviderUnavailable, check_address
from calmo_pagerduty.access.provider_logout_store import end_sessions
from calmo_pagerduty.access.roles import grant_of_groups, groups_of_claim, parse_group_roles
from calmo_pagerduty.access.sign_in_flow_store import Flow
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.settings import InvalidSettings, Settings
from ingress.dashboard import security
from ingress.dashboard.security import ROOT

logger = logging.getLogger(__name__)

WAY = "oidc"
BEGIN = f"/sign-in/{WAY}"
CALLBACK = f"/sign-in/{WAY}/callback"
LOGOUT = f"/sign-in/{WAY}/back-channel-logout"
MAX_CODE_LENGTH = 8000


class SignInRefused(Exception):
    """The person is not signed in. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A person who signed in: their principal, the path to go on to, and how long the session lasts.

    `session` names it at the provider; None if the provider gives it no name.
    """

    principal: Principal
    next: str
    lifetime: timedelta
    session: str | None


class ProviderSignIn:
    """The way through the provider of the settings."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Raises InvalidSettings, InvalidGrant, ProviderUnavailable, each for settings that can't work."""
        if not settings.oidc_issuer or not settings.oidc_client_id:
            raise InvalidSettings("CALMO_OIDC_ISSUER and CALMO_OIDC_CLIENT_ID are set together")
        if "openid" not in settings.oidc_scopes.split():
            raise InvalidSettings("CALMO_OIDC_SCOPES: openid must be among them")
        check_address(settings.oidc_issuer, "CALMO_OIDC_ISSUER")
        check_address(settings.public_address, "with a provider, CALMO_PUBLIC_URL")
        secret = settings.oidc_client_secret
        self._issuer = settings.oidc_issuer
        self._database = database
        self._provider = Provider(
            Client(
                self._issuer,
                settings.oidc_client_id,
                None if secret is None else secret.get_secret_value(),
                settings.oidc_scopes,
                f"{settings.public_address}{ROOT}{CALLBACK}",
            )
        )
        self._group_roles = parse_group_roles(settings.oidc_group_roles)
        self._groups_claim = settings.oidc_groups_claim
        self._person_claim = settings.oidc_person_claim
        self._lifetime = settings.oidc_session

    async def begin(self, next_path: str, https: bool) -> Response:
        """Send the browser to the provider. Raises ProviderUnavailable, StoreUnavailable."""
        now = datetime.now(UTC)
        flow = await self._database.write(lambda t: flows.insert_flow(t, next_path, now))
        address = await self._provider.authorization_address(flow.state, flow.nonce, flow.verifier)
        response = RedirectResponse(address, 303)
        age = int(flows.FLOW_LIFETIME.total_seconds())
        security.set_flow_cookie(response, flow.secret, https, age)
        return response

    async def end(self, request: Request, https: bool) -> Proved:
        """Take the browser back.

        Raises SignInRefused, TokenInvalid, ProviderUnavailable, StoreUnavailable.
        """
        query, now = request.query_params, datetime.now(UTC)
        flow = Flow(security.flow_secret(request, https) or "")
        if not flow.secret or not hmac.compare_digest(flow.state.encode(), query.get("state", "").encode()):
            raise SignInRefused("This browser did not begin this sign-in, or began a newer one. Begin again.")
        next_path = await self._database.write(lambda t: flows.claim_flow(t, flow, now))
        if next_path is None:
            raise SignInRefused("This sign-in was used or is older than ten minutes. Begin again.")
        await self._provider.check_sender(query.get("iss"))
        if query.get("error"):
            raise SignInRefused(
                "The provider did not sign you in. Begin again, or ask who runs the provider."
            )
        code = query.get("code", "")
        if not 0 < len(code) <= MAX_CODE_LENGTH:
            raise TokenInvalid("the provider sent you back without a code")
        claims = await self._provider.claims(code, flow.nonce, flow.verifier)
        session = claims.get("sid")
        return Proved(
            await self._admit(claims, now),
            next_path,
            self._lifetime,
            session if isinstance(session, str) and 0 < len(session) <= MAX_ID_LENGTH else None,
        )

    async def log_out(self, token: str) -> int:
        """End the sessions that a logout token of the provider names; return how many.

        Raises TokenInvalid, also if it was used before, ProviderUnavailable, StoreUnavailable.
        """
        now = datetime.now(UTC)
        logout = await self._provider.logout(token, now)
        ended = await self._database.write(lambda t: end_sessions(t, self._issuer, logout, WAY, now))
        if ended is None:
            raise TokenInvalid("the provider's token was used before")
        return ended

    async def _admit(self, claims: Claims, now: datetime) -> Principal:
        subject, name = claims["sub"], claims.get(self._person_claim)
        if self._person_claim == "email" and claims.get("email_verified") is not True:
            name = None
        grant = grant_of_groups(groups_of_claim(claims.get(self._groups_claim)), self._group_roles)
        principal = await self._database.write(
            lambda t: people_service.admit_person(t, self._issuer, subject, name, grant, now)
        )
        if principal is None:
            raise SignInRefused(
                "The provider knows you, but nobody gave you a role here. Ask an operator of Calmo to run:"
                f" calmo-pagerduty people set {shlex.quote(subject)} --role ROLE --scope SCOPE"
            )
        return principal


def provider_sign_in(settings: Settings, database: Database) -> ProviderSignIn | None:
    """Return the way through the provider; None if none is set."""
    if settings.oidc_issuer is None and settings.oidc_client_id is None:
        return None
    return ProviderSignIn(settings, database)


def explain_refusal(error: Exception) -> tuple[int, str]:
    """Return status and words for a sign-in through the provider that failed."""
    if isinstance(error, ProviderUnavailable):
        logger.warning("oidc_provider_unavailable", extra={"error": str(error)})
        return 502, f"Signing in is not possible now: {error}."
    logger.info("oidc_sign_in_refused", extra={"kind": type(error).__name__})
    if isinstance(error, TokenInvalid):
        return 401, f"You are not signed in: {error}. Begin again."
    return 401, str(error)
