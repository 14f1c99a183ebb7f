"""An OpenID provider: its discovery document, its keys, and the exchange of a code for an ID token.

Source: OpenID Connect Discovery 1.0; RFC 6749, section 4.1; RFC 7636 (PKCE); RFC 9207 (`iss`).
"""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt

from calmo_pagerduty.access.id_tokens import Claims, KeyUnknown, TokenInvalid, check_id_token, read_keys
from calmo_pagerduty.access.logout_tokens import Logout, check_logout_token
from calmo_pagerduty.http_client import AsyncClient, HTTPError, InvalidURL, Timeout, tls_context
from calmo_pagerduty.kernel.explained_error import ExplainedError

TIMEOUT = Timeout(5.0)
DEADLINE_SECONDS = 10.0
MAX_ANSWER_BYTES = 500_000
#: The provider's addresses and keys are read again after this time.
MAX_AGE_SECONDS = 3600.0
#: An unknown key lets the keys be read again, at most so often.
KEY_READ_SECONDS = 30.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ProviderUnavailable(ExplainedError):
    """The provider does not answer, or not as OpenID Connect demands. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Client:
    """What we are to the provider. `redirect_uri` is where it sends browsers back to."""

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class _Endpoints:
    authorization: str
    token: str
    keys: str
    #: Whether the provider names itself when it sends a browser back.
    names_itself: bool
    secret_in_body: bool
    read_at: float


def check_address(address: object, what: str) -> str:
    """Return an address that is https, or http on this machine. Raises ProviderUnavailable."""
    if isinstance(address, str) and address.isascii() and address.isprintable() and " " not in address:
        parts = urlsplit(address)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if is_safe and parts.hostname and "@" not in parts.netloc and not parts.fragment:
            return address
    raise ProviderUnavailable(f"{what} must be an https address")


class Provider:
    """Talks to one provider. Its document and keys are kept for an hour."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._endpoints: _Endpoints | None = None
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._keys_read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def authorization_address(self, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser goes to sign in. Raises ProviderUnavailable."""
        endpoint = (await self._discover()).authorization
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": self.client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def check_sender(self, issuer: str | None) -> None:
        """Check who sent a browser back, as RFC 9207 demands. Raises TokenInvalid, ProviderUnavailable."""
        if issuer != self.client.issuer and (issuer is not None or (await self._discover()).names_itself):
            raise TokenInvalid("another provider sent you back, so nothing was read from it")

    async def claims(self, code: str, nonce: str, verifier: str) -> Claims:
        """Exchange a code for the claims of a valid ID token. Raises TokenInvalid, ProviderUnavailable."""
        token = await self._exchange(code, verifier)
        client = self.client
        try:
            return check_id_token(token, await self._known_keys(), client.issuer, client.client_id, nonce)
        except KeyUnknown:
            keys = await self._read_keys(KEY_READ_SECONDS)
            return check_id_token(token, keys, client.issuer, client.client_id, nonce)

    async def logout(self, token: str, now: datetime) -> Logout:
        """Return what a valid logout token says. Raises TokenInvalid, ProviderUnavailable."""
        client = self.client
        try:
            return check_logout_token(token, await self._known_keys(), client.issuer, client.client_id, now)
        except KeyUnknown:
            keys = await self._read_keys(KEY_READ_SECONDS)
            return check_logout_token(token, keys, client.issuer, client.client_id, now)

    async def _exchange(self, code: str, verifier: str) -> str:
        endpoints, client = await self._discover(), self.client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if client.client_secret is None or endpoints.secret_in_body:
            form["client_id"] = client.client_id
            if client.client_secret is not None:
                form["client_secret"] = client.client_secret
        else:
            # RFC 6749, section 2.3.1: both are encoded as in a form first.
            pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, answer = await self._request("POST", endpoints.token, form, headers)
        if status in {400, 401}:
            raise TokenInvalid(f"the provider refused the code: {_error_of(answer)}")
        token = answer.get("id_token") if status == 200 else None
        if not isinstance(token, str):
            raise ProviderUnavailable(f"the provider's answer to the code holds no ID token (HTTP {status})")
        return token

    async def _discover(self) -> _Endpoints:
        known, now = self._endpoints, time.monotonic()
        if known is not None and now - known.read_at < MAX_AGE_SECONDS:
            return known
        issuer = check_address(self.client.issuer, "CALMO_OIDC_ISSUER")
        status, document = await self._request(
            "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        )
        if status != 200 or document.get("issuer") != issuer:
            raise ProviderUnavailable(
                f"there is no discovery document of the issuer {issuer} (HTTP {status})"
            )
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        self._endpoints = _Endpoints(
            check_address(document.get("authorization_endpoint"), "the authorization_endpoint"),
            check_address(document.get("token_endpoint"), "the token_endpoint"),
            check_address(document.get("jwks_uri"), "the jwks_uri"),
            document.get("authorization_response_iss_parameter_supported") is True,
            isinstance(methods, list) and "client_secret_basic" not in methods,
            now,
        )
        return self._endpoints

    async def _known_keys(self) -> tuple[jwt.PyJWK, ...]:
        return await self._read_keys(MAX_AGE_SECONDS)

    async def _read_keys(self, max_age: float) -> tuple[jwt.PyJWK, ...]:
        """Return the keys, read again if they are as old as this."""
        async with self._lock:
            if time.monotonic() - self._keys_read_at >= max_age:
                status, document = await self._request("GET", (await self._discover()).keys)
                if status != 200:
                    raise ProviderUnavailable(f"the provider's keys can't be read (HTTP {status})")
                self._keys, self._keys_read_at = read_keys(document), time.monotonic()
            return self._keys

    async def _request(
        self,
        method: str,
        address: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, Any]]:
        """Send one request, follow nothing, and return status and JSON object. Raises ProviderUnavailable."""
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            async with (
                asyncio.timeout(DEADLINE_SECONDS),
                AsyncClient(
                    verify=tls_context(), timeout=TIMEOUT, follow_redirects=False, trust_env=False
                ) as http,
                http.stream(method, address, data=form, headers=sent) as response,
            ):
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise ProviderUnavailable("the provider's answer is too long")
                answer = json.loads(body) if body else {}
        except (HTTPError, InvalidURL, TimeoutError) as error:
            raise ProviderUnavailable(f"the provider does not answer ({type(error).__name__})") from error
        except (ValueError, RecursionError):
            answer = {}
        return response.status_code, answer if isinstance(answer, dict) else {}


def _error_of(answer: Mapping[str, Any]) -> str:
    """Return the provider's error code. Its description may hold anything, so it is left out."""
    code = answer.get("error")
    return code[:60] if isinstance(code, str) and code.isascii() and code.isprintable() else "no reason"
