"""The session behind a request: who it is, what waits to be said to them, and its end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access import session_store as store
from calmo_pagerduty.access.session_store import ABSOLUTE_LIMIT, Message, Session
from calmo_pagerduty.access.sign_in_audit_store import audit_session
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.errors import NotAuthenticated
from ingress.dashboard import security


class Sessions:
    """Finds, begins and ends sessions. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, public_address: str) -> None:
        self._database = database
        self._public_address = public_address

    def secret(self, request: Request) -> str | None:
        """Return the secret that the browser holds, valid or not."""
        return security.session_secret(request, self.is_https(request))

    async def find(self, request: Request) -> Session:
        """Return the request's session. Raises NotAuthenticated."""
        secret, now = self.secret(request), datetime.now(UTC)
        session = None
        if secret:
            session = await self._database.read(lambda t: store.get_session(t, secret, now))
        if session is None:
            raise NotAuthenticated("sign in: this browser has no session, or it has ended")
        if now - session.seen_at >= store.SEEN_STEP:
            found = session
            await self._database.write(lambda t: store.mark_seen(t, found, now))
        return session

    async def still_valid(self, session: Session) -> Session | None:
        """Return the session with its present rights; None once it or its key has ended."""
        now = datetime.now(UTC)
        return await self._database.read(lambda t: store.get_session_by_hash(t, session.secret_sha256, now))

    async def begin(
        self,
        request: Request,
        response: Response,
        principal: Principal,
        way: str,
        lifetime: timedelta = ABSOLUTE_LIMIT,
        provider_session: str | None = None,
    ) -> None:
        """Begin a session of this principal, and let `response` give its secret to the browser.

        `provider_session` names the person's session at the provider.
        """
        now = datetime.now(UTC)
        old = self.secret(request)

        def write(tx: Transaction) -> str:
            # A new secret for every sign-in: one that somebody planted in the browser is worth nothing.
            ended = store.get_session(tx, old, now) if old else None
            if ended is not None:
                store.delete_session(tx, ended)
            audit_session(tx, principal, "signed in", way, now)
            return store.insert_session(tx, principal.key_id, way, now, lifetime, provider_session)

        secret = await self._database.write(write)
        age = int(lifetime.total_seconds())
        security.set_session_cookie(response, secret, self.is_https(request), age)

    async def end(self, request: Request, response: Response, session: Session) -> None:
        """End the session, and let `response` take its secret from the browser."""

        def write(tx: Transaction) -> None:
            store.delete_session(tx, session)
            audit_session(tx, session.principal, "signed out", session.way, datetime.now(UTC))

        await self._database.write(write)
        security.delete_session_cookie(response, self.is_https(request))

    async def say(self, session: Session, messages: Sequence[Message]) -> None:
        """Keep messages for the session's next page."""
        await self._database.write(lambda t: store.update_messages(t, session, messages))

    def is_https(self, request: Request) -> bool:
        """Tell whether the browser speaks https."""
        return security.is_https(request, self._public_address)
