"""A real OpenID provider (oidc-provider-mock, in a process of its own), with a wire that can lie.

The wire passes everything on, so the provider's issuer is the wire's address. A test may let it replace the
provider's ID token by one with other claims, another key or another algorithm. It also checks PKCE, as the
provider does not.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
from joserfc import jwk, jws
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pagerduty_simulator.rest.serving import running_server
from tests.support.eventually import eventually
from tests.support.patience import ANSWER

CLIENT_ID = "calmo"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Claims = dict[str, Any]


@dataclass
class Forgery:
    """What the wire makes of the provider's next ID tokens."""

    change: Callable[[Claims], Claims] = field(default=lambda claims: claims)
    algorithm: str = "RS256"
    #: The id of the wire's key; None leaves `kid` out.
    kid: str | None = "wire"
    #: Whether the wire's key is among the provider's published keys.
    is_published: bool = True
    #: Under which id it is published, if not under its own.
    published_as: str | None = None

    @property
    def published_kid(self) -> str:
        return self.published_as or self.kid or "wire"


class OpenIdProvider:
    """The provider as tests see it: people with claims, and what goes wrong."""

    def __init__(self, inside: str) -> None:
        self.address = ""
        self.forgery: Forgery | None = None
        #: Fields of the discovery document that are changed.
        self.document: dict[str, Any] = {}
        self.key_reads = 0
        self._key = jwk.RSAKey.generate_key(2048, {"kid": "wire", "use": "sig"})
        self._challenges: list[str] = []
        self._http = httpx.AsyncClient(base_url=inside, trust_env=False, timeout=ANSWER)

    async def person(self, subject: str, **claims: Any) -> None:
        """Let the provider know a person."""
        (await self._http.put(f"/users/{subject}", json=claims)).raise_for_status()

    async def sign_in(self, address: str, subject: str) -> str:
        """Sign in at the provider as the browser would, and return where it sends the browser."""
        answer = await self._http.post(
            address.removeprefix(self.address), data={"sub": subject}, headers=self._host()
        )
        assert answer.status_code == 302, answer.text
        self._note_challenge(address)
        return answer.headers["location"]

    def logout_token(self, **claims: Any) -> str:
        """Return what the provider sends to applications when somebody signs out there.

        The wire signs it, so its key must be published: see `Forgery`.
        """
        at = int(time.time())
        content = {"iss": self.address, "aud": CLIENT_ID, "iat": at, "exp": at + 120, **claims}
        content.setdefault("jti", secrets.token_hex(8))
        content.setdefault("events", {LOGOUT_EVENT: {}})
        header = {"alg": "RS256", "kid": "wire", "typ": "logout+jwt"}
        return jws.serialize_compact(header, json.dumps(content).encode(), self._key)

    async def close(self) -> None:
        await self._http.aclose()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._keys),
                Route("/oauth2/token", self._token, methods=["POST"]),
                Route("/{path:path}", self._pass_on, methods=["GET", "POST"]),
            ]
        )

    async def _discovery(self, request: Request) -> Response:
        document = (await self._ask(request)).json()
        return JSONResponse({**document, **self.document})

    async def _keys(self, request: Request) -> Response:
        self.key_reads += 1
        keys = (await self._ask(request)).json()["keys"]
        if self.forgery is not None and self.forgery.is_published:
            keys.append({**self._key.as_dict(private=False), "kid": self.forgery.published_kid})
        return JSONResponse({"keys": keys})

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if _base64url(digest) not in self._challenges:
            return JSONResponse({"error": "invalid_grant"}, 400)
        answer = await self._ask(request)
        content = answer.json()
        if self.forgery is not None and "id_token" in content:
            content["id_token"] = self._forged(content["id_token"], self.forgery)
        return JSONResponse(content, answer.status_code)

    def _forged(self, token: str, forgery: Forgery) -> str:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        header = {"alg": forgery.algorithm, **({"kid": forgery.kid} if forgery.kid else {})}
        content = json.dumps(forgery.change(claims)).encode()
        if forgery.algorithm == "RS256":
            return jws.serialize_compact(header, content, self._key)
        signed = f"{_base64url(json.dumps(header).encode())}.{_base64url(content)}"
        # The classical confusion of keys: the public key as the shared secret.
        secret = self._key.as_pem(private=False)
        signature = hmac.digest(secret, signed.encode(), "sha256") if forgery.algorithm == "HS256" else b""
        return f"{signed}.{_base64url(signature)}"

    async def _pass_on(self, request: Request) -> Response:
        self._note_challenge(str(request.url))
        answer = await self._ask(request)
        kept = {name: answer.headers[name] for name in ("content-type", "location") if name in answer.headers}
        return Response(answer.content, answer.status_code, kept)

    async def _ask(self, request: Request) -> httpx.Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        names = ("content-type", "authorization")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        return await self._http.request(
            request.method, path, content=await request.body(), headers={**headers, **self._host()}
        )

    def _note_challenge(self, address: str) -> None:
        query = parse_qs(address.partition("?")[2])
        if query.get("code_challenge_method") == ["S256"]:
            self._challenges += query["code_challenge"]

    def _host(self) -> dict[str, str]:
        return {"Host": self.address.removeprefix("http://")}


@contextlib.asynccontextmanager
async def running_provider() -> AsyncIterator[OpenIdProvider]:
    """Start the provider and its wire on this machine."""
    port = free_port()
    command = (sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port))
    process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    inside = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=inside, trust_env=False, timeout=ANSWER) as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/jwks")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, within=ANSWER)
        provider = OpenIdProvider(inside)
        async with running_server(provider.app(), "127.0.0.1", 0) as address:
            provider.address = address
            yield provider
            await provider.close()
    finally:
        process.terminate()
        process.wait()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
