"""Webhooks as the receiver needs them, their sealed secrets, and their strikes."""

import base64
import os
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.db.encryption import CellAddress, Keyring
from calmo_pagerduty.db.tables import connections, refusals, webhook_secrets, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import MAX_STRIKES, STRIKE_WINDOW, Verdict
from calmo_pagerduty.kernel.scopes import Scope


@dataclass(frozen=True, slots=True)
class Webhook:
    """Our address for one PagerDuty subscription. `secrets` holds (version, secret), newest first."""

    id: str
    connection_id: str
    scope: Scope
    armed: bool
    paused: bool
    deleted: bool
    secrets: tuple[tuple[int, bytes], ...] = field(repr=False)


_FIND = sa.select(webhooks).where(webhooks.c.id == bindparam("webhook"))
_SECRETS = (
    sa.select(webhook_secrets.c.version, webhook_secrets.c.sealed)
    .where(
        webhook_secrets.c.webhook_id == bindparam("webhook"),
        sa.or_(
            webhook_secrets.c.expires_at.is_(None),
            webhook_secrets.c.expires_at > bindparam("now", type_=webhook_secrets.c.created_at.type),
        ),
    )
    .order_by(webhook_secrets.c.version.desc())
)


def insert_webhook(
    tx: Transaction,
    keyring: Keyring,
    scope: Scope,
    secret: bytes | None,
    now: datetime,
    connection_id: str | None = None,
) -> str:
    """Insert a webhook for a scope and return its id, which is also its unguessable address.

    Without a connection's id it gets the scope's oldest one. A scope without a connection gets one without
    a token, so that webhooks work without setup.
    """
    webhook_id = new_webhook_id()
    connection_id = connection_id or _get_or_insert_connection(tx, scope, now)
    tx.execute(
        webhooks.insert().values(id=webhook_id, connection_id=connection_id, scope=str(scope), created_at=now)
    )
    if secret is not None:
        insert_secret(tx, keyring, webhook_id, secret, now)
    return webhook_id


def insert_secret(tx: Transaction, keyring: Keyring, webhook_id: str, secret: bytes, now: datetime) -> int:
    """Seal a signing secret for this webhook only. Returns its version."""
    latest = sa.select(sa.func.max(webhook_secrets.c.version))
    version = (tx.execute(latest.where(webhook_secrets.c.webhook_id == webhook_id)).scalar() or 0) + 1
    scope = tx.execute(sa.select(webhooks.c.scope).where(webhooks.c.id == webhook_id)).scalar_one()
    sealed = keyring.seal(secret, _secret_cell(scope, webhook_id, version))
    tx.execute(
        webhook_secrets.insert().values(webhook_id=webhook_id, version=version, sealed=sealed, created_at=now)
    )
    return version


def get_webhook(tx: Transaction, keyring: Keyring, webhook_id: str, now: datetime) -> Webhook | None:
    """Return the webhook with its live secrets; None if there is none. Raises CannotDecrypt."""
    row = tx.execute(_FIND, {"webhook": webhook_id}).one_or_none()
    if row is None:
        return None
    sealed = tx.execute(_SECRETS, {"webhook": webhook_id, "now": now})
    secrets = tuple(
        (version, keyring.open(value, _secret_cell(row.scope, webhook_id, version)))
        for version, value in sealed
    )
    return Webhook(
        id=row.id,
        connection_id=row.connection_id,
        scope=Scope.parse(row.scope),
        armed=row.armed_at is not None,
        paused=row.paused_at is not None,
        deleted=row.deleted_at is not None,
        secrets=secrets,
    )


def mark_armed(tx: Transaction, webhook_id: str, now: datetime) -> None:
    """Record that a delivery was verified: from now on, unsigned deliveries get 401."""
    tx.execute(
        sa.update(webhooks)
        .where(webhooks.c.id == webhook_id, webhooks.c.armed_at.is_(None))
        .values(armed_at=now)
    )


def mark_disarmed(tx: Transaction, webhook_id: str) -> None:
    """Clear the record that a delivery was verified: it was a test of ours."""
    tx.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(armed_at=None))


def count_strikes(tx: Transaction, webhook_id: str, now: datetime) -> int:
    """Count strikes within STRIKE_WINDOW, at most MAX_STRIKES. Good deliveries don't reset the count."""
    strikes = (
        sa.select(refusals.c.id)
        .where(
            refusals.c.webhook_id == webhook_id,
            refusals.c.at > now - STRIKE_WINDOW,
            refusals.c.status == 401,
            refusals.c.verdict.in_([Verdict.MISMATCH, Verdict.UNSUPPORTED_SCHEME]),
        )
        .limit(MAX_STRIKES)
    )
    return len(tx.execute(strikes).all())


def list_live_connections(tx: Transaction, scope: Scope) -> list[str]:
    """Return the ids of the scope's connections that were not removed, oldest first."""
    live = sa.select(connections.c.id).where(
        connections.c.scope == str(scope), connections.c.removed_at.is_(None)
    )
    return list(tx.execute(live.order_by(connections.c.created_at)).scalars())


def _get_or_insert_connection(tx: Transaction, scope: Scope, now: datetime) -> str:
    existing = list_live_connections(tx, scope)
    if existing:
        return existing[0]
    connection_id = f"con_{_random(5)}"
    tx.execute(
        connections.insert().values(
            id=connection_id, name=f"Webhooks of {scope}", scope=str(scope), severities={}, created_at=now
        )
    )
    return connection_id


def new_webhook_id() -> str:
    """Return a new id with 160 random bits: whoever knows it knows the webhook's address."""
    return f"wh_{_random(20)}"


def _secret_cell(scope: str, webhook_id: str, version: int) -> CellAddress:
    return CellAddress("webhook_secrets", "sealed", scope, webhook_id, version)


def _random(size: int) -> str:
    return base64.b32encode(os.urandom(size)).decode().lower()
