"""Webhooks as their owners manage them over REST, and deliveries to them."""

from dataclasses import dataclass
from typing import Any

import httpx

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.db import tables
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.doors import ACME, Doorway, make_key, rows

SECRET = "a-signing-secret-that-pagerduty-showed-once"
OTHER_SECRET = "another-signing-secret-of-another-subscription"

Json = dict[str, Any]


@dataclass
class Desk:
    """`headers` are those of a key that may do everything."""

    doorway: Doorway
    headers: dict[str, str]

    async def ask(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.doorway.client.request(
            method, f"/api/webhooks{path}", json=body, headers=headers or self.headers
        )

    async def make(self, **body: Any) -> Json:
        """Make a webhook and return the answer; `id` and `url` are whole."""
        answer = await self.ask("POST", "", {"scope": ACME, **body})
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    async def shown(self, webhook: Json) -> Json:
        answer = await self.ask("GET", f"/{webhook['id']}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def done(self, method: str, webhook: Json, what: str, body: Json | None = None) -> Json:
        answer = await self.ask(method, f"/{webhook['id']}{what}", {} if body is None else body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def deliver(
        self, webhook: Json, secret: str | None = SECRET, event_type: str = EventType.TRIGGERED
    ) -> int:
        """Deliver a new event, signed with this secret, and return the status."""
        body = body_of(an_event(event_type, new_id()))
        headers = headers_for(body, secret.encode()) if secret else {}
        return (await self.doorway.post(webhook["id"], body, headers)).status_code

    def audited(self) -> list[str]:
        """Return the audit's records as text, oldest first."""
        return [row.record for row in rows(self.doorway.database, tables.audit)]


def a_desk(doorway: Doorway) -> Desk:
    return Desk(doorway, make_key(doorway.database, ALL_PERMISSIONS))
