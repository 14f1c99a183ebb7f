"""The real ingress with a real database, and a look at what it keeps."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bootstrap.services import Services
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.connections.severity import severity_of
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.incidents import store as issues
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.webhooks import store as webhooks
from ingress.app import build_app
from ingress.parts import Ingress
from tests.support.builders import SECRET, body_of, headers_for
from tests.support.patience import STORY

ACME = "organization:acme"


@dataclass
class Doorway:
    """The application over ASGI. An exception that it does not answer fails the test."""

    ingress: Ingress
    database: Database
    keyring: Keyring
    client: httpx.AsyncClient

    def a_webhook(
        self, secret: bytes | None = SECRET, armed: bool = True, scope: str = ACME, **columns: Any
    ) -> str:
        return make_webhook(self.database, self.keyring, secret, armed, scope, **columns)

    async def post(
        self, webhook_id: str, body: bytes, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Deliver these bytes; without `headers`, genuinely signed."""
        given = headers_for(body) if headers is None else headers
        return await self.client.post(f"/webhooks/pagerduty/{webhook_id}", content=body, headers=given)

    async def deliver(self, webhook_id: str, payload: dict[str, Any], **headers: str) -> httpx.Response:
        body = body_of(payload)
        return await self.post(webhook_id, body, headers_for(body) | headers)

    def kept(self) -> Sequence[sa.Row[Any]]:
        return deliveries_with_bodies(self.database)

    def refused(self) -> Sequence[sa.Row[Any]]:
        return rows(self.database, tables.refusals)

    def counted(self, verdict: str) -> float:
        return self._sample("calmo_deliveries_total", verdict=verdict)

    def alarms(self, kind: str) -> float:
        return self._sample("calmo_alarms_total", kind=kind)

    def _sample(self, name: str, **labels: str) -> float:
        return self.ingress.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def open_doorway(
    database: Database, keyring: Keyring, data_dir: Path, **settings: Any
) -> AsyncIterator[Doorway]:
    # Nothing is sent again only because the machine is busy.
    patient = {"confirm_after": timedelta(seconds=STORY), **settings}
    ingress = Ingress(Services(Settings(data_dir=data_dir, **patient), database, keyring))
    transport = httpx.ASGITransport(app=build_app(ingress))
    async with httpx.AsyncClient(transport=transport, base_url="http://door.test") as client:
        yield Doorway(ingress, database, keyring, client)


def make_webhook(
    database: Database,
    keyring: Keyring,
    secret: bytes | None = SECRET,
    armed: bool = True,
    scope: str = ACME,
    **columns: Any,
) -> str:
    now = datetime.now(UTC)

    def make(connection: sa.Connection) -> str:
        webhook_id = webhooks.insert_webhook(connection, keyring, Scope.parse(scope), secret, now)
        if armed:
            webhooks.mark_armed(connection, webhook_id, now)
        if columns:
            row = tables.webhooks.c.id == webhook_id
            connection.execute(sa.update(tables.webhooks).where(row).values(**columns))
        return webhook_id

    return database.write_blocking(make)


def make_key(
    database: Database, permissions: Sequence[str], scopes: Sequence[str] | None = None
) -> dict[str, str]:
    """Make an API key and return it as headers. No `scopes` is an operator's key."""
    seen = None if scopes is None else [Scope.parse(scope) for scope in scopes]
    now = datetime.now(UTC)
    key = database.write_blocking(lambda c: api_keys.insert_key(c, "test", permissions, seen, now))
    return {"Authorization": f"Bearer {key}"}


def save_pending(database: Database) -> None:
    """Put what the door took in onto the issues' timelines, one event a transaction, as a worker would."""
    for waiting in database.read_blocking(lambda c: deliveries.list_pending(c, 0, 10_000)):
        fact = EventFacts.model_validate({"seq": waiting.seq, **json.loads(waiting.facts)})
        severity = severity_of(fact.priority)
        now = datetime.now(UTC)

        def save(
            connection: sa.Connection,
            waiting: Any = waiting,
            fact: Any = fact,
            severity: Any = severity,
            now: datetime = now,
        ) -> None:
            issues.insert_events(connection, waiting.ref, [fact], severity, now)
            deliveries.mark_forwarded(connection, [waiting.seq], now)

        database.write_blocking(save)


def deliveries_with_bodies(database: Database) -> Sequence[sa.Row[Any]]:
    """Return the delivery log, oldest first."""
    query = sa.select(tables.deliveries, tables.delivery_bodies.c.body).join(tables.delivery_bodies)
    return database.read_blocking(lambda c: c.execute(query.order_by(tables.deliveries.c.seq)).all())


def rows(database: Database, table: sa.Table) -> Sequence[sa.Row[Any]]:
    """Return what is committed, oldest first, read on a connection of its own."""
    order = next(iter(table.primary_key.columns))
    return database.read_blocking(lambda c: c.execute(sa.select(table).order_by(order)).all())


def days(count: float) -> timedelta:
    return timedelta(days=count)
