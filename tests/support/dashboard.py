"""A served dashboard, with verbs: issues to look at, keys to sign in with, and a client without a browser."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from calmo_pagerduty.access import session_store, store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import a_reference, an_event, new_id
from tests.support.doors import Doorway, save_pending


@dataclass
class DashboardSite:
    """`address` is where the dashboard is served, and `client` a client without cookies of its own."""

    doorway: Doorway
    address: str
    client: httpx.AsyncClient

    @property
    def database(self) -> Database:
        return self.doorway.database

    def a_key(
        self, *permissions: str, scopes: tuple[str, ...] | None = None, person: str | None = None
    ) -> str:
        """Return a new API key; without permissions it has all of them, without scopes it sees everything."""
        seen = None if scopes is None else [Scope.parse(scope) for scope in scopes]
        return self.database.write_blocking(
            lambda t: api_keys.insert_key(
                t, "a test's key", permissions or ALL_PERMISSIONS, seen, datetime.now(UTC), person
            )
        )

    def revoke(self, key: str) -> None:
        key_id = api_keys.parse_key_id(key)
        self.database.write_blocking(lambda t: api_keys.mark_revoked(t, key_id, datetime.now(UTC)))

    def a_link(self, key: str) -> str:
        """Return the path of a one-time link."""
        key_id = api_keys.parse_key_id(key)
        secret = self.database.write_blocking(
            lambda t: session_store.insert_link(t, key_id, datetime.now(UTC))
        )
        return f"/dashboard/sign-in/link?token={secret}"

    async def session(self, key: str) -> "SignedIn":
        """Sign in with a key, without a browser."""
        answer = await self.client.post(
            "/dashboard/sign-in/key", data={"key": key}, headers={"Origin": self.address}
        )
        assert answer.status_code == 303, answer.text
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self.client.cookies.clear()
        return SignedIn(self, cookie)

    def webhook(self, scope: str = "organization:acme", **columns: Any) -> str:
        return self.doorway.a_webhook(scope=scope, **columns)

    async def an_issue(self, webhook: str, title: str, minutes_ago: float = 5, **fields: Any) -> str:
        """Let an incident begin so long ago; return its id at PagerDuty."""
        incident = fields.pop("incident", None) or new_id()
        kind = fields.pop("kind", EventType.TRIGGERED)
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        if priority := fields.pop("priority_name", None):
            fields["priority"] = a_reference("priority", "PPRIO", priority)
        event = an_event(kind, incident, at=at, created_at=at.isoformat(), title=title, **fields)
        await self.doorway.deliver(webhook, event)
        save_pending(self.database)
        return str(incident)


@dataclass
class SignedIn:
    """Requests of one session."""

    site: DashboardSite
    cookie: str

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.site.client.get(path, headers={"Cookie": self.cookie, **headers})

    async def post(
        self, path: str, data: dict[str, str] | None = None, token: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form as the browser would; a `token` other than the session's is sent as it is."""
        csrf = await self.token() if token is None else token
        sent = {"Cookie": self.cookie, "Origin": self.site.address, **headers}
        return await self.site.client.post(path, data={**(data or {}), "csrf": csrf}, headers=sent)

    async def token(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', (await self.get("/dashboard/now")).text)
        assert found is not None
        return found[1]
