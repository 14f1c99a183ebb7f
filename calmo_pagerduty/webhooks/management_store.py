"""Webhooks as their owners manage them. Every read takes the caller's Visibility."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.tables import webhook_secrets, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.model import HANDLE_PATTERN
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.webhooks import store as addresses
from calmo_pagerduty.webhooks.event_filters import WHOLE_ACCOUNT, EventFilter, EventSet
from calmo_pagerduty.webhooks.lifecycle import (
    SECRET_OVERLAP,
    WEBHOOK_ID_PATTERN,
    WebhookConflict,
    WebhookFlags,
    WebhookState,
    max_live_secrets,
    state_of,
    webhook_handle,
)


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """When a secret was set and when it expires (UTC), without the secret itself."""

    version: int
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a person asks for when creating a webhook."""

    scope: Scope
    name: str = ""
    connection_id: str | None = None
    event_set: EventSet = EventSet.ADVANCED
    only: EventFilter = WHOLE_ACCOUNT


@dataclass(frozen=True, slots=True)
class ManagedWebhook:
    """A webhook with all that its owners may see. Times are UTC."""

    id: str
    name: str
    scope: Scope
    connection_id: str
    event_set: EventSet
    only: EventFilter
    #: PagerDuty's ids of the subscriptions that deliver here, if we know them.
    subscription_ids: tuple[str, ...]
    #: True if we made the subscriptions, so we delete them too.
    managed: bool
    created_at: datetime
    armed_at: datetime | None
    paused_at: datetime | None
    disabled_at: datetime | None
    deleted_at: datetime | None
    findings: tuple[Any, ...]
    examined_at: datetime | None
    #: The live secrets, oldest first.
    secrets: tuple[SecretInfo, ...]

    @property
    def flags(self) -> WebhookFlags:
        """What decides the webhook's state."""
        return WebhookFlags(
            secret=bool(self.secrets),
            armed=self.armed_at is not None,
            paused=self.paused_at is not None,
            disabled=self.disabled_at is not None,
            deleted=self.deleted_at is not None,
        )

    @property
    def state(self) -> WebhookState:
        """The webhook's state, computed from its flags."""
        return state_of(self.flags)

    @property
    def handle(self) -> str:
        """A short name of the webhook that is no secret, unlike its id."""
        return webhook_handle(self.id)

    @property
    def live_secrets(self) -> tuple[SecretInfo, ...]:
        """The secrets that have not been replaced."""
        return tuple(secret for secret in self.secrets if secret.expires_at is None)


def insert_webhook(
    tx: Transaction, keyring: Keyring, new: NewWebhook, secret: bytes | None, now: datetime
) -> str:
    """Insert a webhook and return its id, which is also its unguessable address.

    Raises WebhookConflict if the scope has several connections and none was chosen.
    """
    if new.connection_id is None and len(addresses.list_live_connections(tx, new.scope)) > 1:
        raise WebhookConflict(
            f"{new.scope} has several connections: say to which one the webhook belongs (--connection)"
        )
    webhook_id = addresses.insert_webhook(tx, keyring, new.scope, secret, now, new.connection_id)
    values: dict[str, Any] = {
        "name": new.name,
        "event_set": new.event_set,
        "service_ids": list(new.only.service_ids),
        "team_ids": list(new.only.team_ids),
    }
    update_webhook(tx, webhook_id, **values)
    return webhook_id


def get_webhook(
    tx: Transaction, visibility: Visibility, id_or_handle: str, now: datetime
) -> ManagedWebhook | None:
    """Return a webhook by its id or its handle; None if there is none that the caller may see.

    Raises WebhookConflict if several webhooks have this handle.
    """
    if WEBHOOK_ID_PATTERN.fullmatch(id_or_handle):
        condition = webhooks.c.id == id_or_handle
    elif HANDLE_PATTERN.fullmatch(id_or_handle):
        condition = webhooks.c.id.like(f"wh\\_%{id_or_handle[-6:]}", escape="\\")
    else:
        return None
    matches = _list_webhooks(tx, visibility, now, condition)
    if len(matches) > 1:
        raise WebhookConflict("several webhooks have this handle: name it by its whole id")
    return matches[0] if matches else None


def list_webhooks(tx: Transaction, visibility: Visibility, now: datetime) -> tuple[ManagedWebhook, ...]:
    """Return the webhooks that are not deleted and that the caller may see, oldest first."""
    return _list_webhooks(tx, visibility, now, webhooks.c.deleted_at.is_(None))


def list_webhooks_to_sweep(
    tx: Transaction, visibility: Visibility, now: datetime
) -> tuple[ManagedWebhook, ...]:
    """Return webhooks with expired secrets, and deleted ones whose subscriptions may still exist."""
    expired = sa.select(webhook_secrets.c.webhook_id).where(webhook_secrets.c.expires_at <= now)
    left = sa.and_(webhooks.c.deleted_at.is_not(None), webhooks.c.managed)
    return _list_webhooks(tx, visibility, now, sa.or_(left, webhooks.c.id.in_(expired)))


def update_secrets(
    tx: Transaction,
    keyring: Keyring,
    webhook_id: str,
    secrets: Sequence[bytes],
    now: datetime,
    keep_others: bool = False,
) -> None:
    """Seal new secrets. The older ones expire after SECRET_OVERLAP, unless `keep_others`.

    If there are more than `max_live_secrets`, the oldest ones expire at once.
    """
    if not keep_others:
        replaced = sa.update(webhook_secrets).where(
            webhook_secrets.c.webhook_id == webhook_id, webhook_secrets.c.expires_at.is_(None)
        )
        tx.execute(replaced.values(expires_at=now + SECRET_OVERLAP))
    for secret in secrets:
        addresses.insert_secret(tx, keyring, webhook_id, secret, now)
    _delete_oldest_secrets(tx, webhook_id)


def _delete_oldest_secrets(tx: Transaction, webhook_id: str) -> None:
    row = tx.execute(
        sa.select(webhooks.c.service_ids, webhooks.c.team_ids).where(webhooks.c.id == webhook_id)
    ).one()
    kept = (
        sa.select(webhook_secrets.c.version)
        .where(webhook_secrets.c.webhook_id == webhook_id)
        .order_by(webhook_secrets.c.version.desc())
        .limit(max_live_secrets(len(row.service_ids) + len(row.team_ids)))
    )
    versions = tx.execute(kept).scalars().all()
    tx.execute(
        sa.delete(webhook_secrets).where(
            webhook_secrets.c.webhook_id == webhook_id, webhook_secrets.c.version.not_in(versions)
        )
    )


def delete_expired_secrets(tx: Transaction, webhook_id: str, now: datetime) -> None:
    """Delete the secrets whose overlap has ended at `now` (UTC)."""
    expired = sa.delete(webhook_secrets).where(
        webhook_secrets.c.webhook_id == webhook_id, webhook_secrets.c.expires_at <= now
    )
    tx.execute(expired)


def update_subscriptions(tx: Transaction, webhook_id: str, ids: Sequence[str]) -> None:
    """Store the ids of the subscriptions that we made. Without ids, there is nothing to delete later."""
    update_webhook(tx, webhook_id, subscription_id=",".join(ids) or None, managed=bool(ids))


def mark_deleted(tx: Transaction, webhook_id: str, now: datetime) -> None:
    """Mark the webhook deleted (answered 410) and delete its secrets. Its deliveries stay."""
    update_webhook(tx, webhook_id, deleted_at=now)
    delete_secrets(tx, webhook_id)


def delete_secrets(tx: Transaction, webhook_id: str) -> None:
    """Delete all secrets of the webhook."""
    tx.execute(sa.delete(webhook_secrets).where(webhook_secrets.c.webhook_id == webhook_id))


def update_webhook(tx: Transaction, webhook_id: str, **values: Any) -> None:
    """Set columns of the webhook's row."""
    tx.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**values))


def _list_webhooks(
    tx: Transaction, visibility: Visibility, now: datetime, condition: sa.ColumnElement[bool]
) -> tuple[ManagedWebhook, ...]:
    query = sa.select(webhooks).where(condition, visible_to(webhooks.c.scope, visibility))
    rows = tx.execute(query.order_by(webhooks.c.created_at, webhooks.c.id)).all()
    live = sa.select(webhook_secrets).where(
        webhook_secrets.c.webhook_id.in_([row.id for row in rows]),
        sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > now),
    )
    ages: dict[str, list[SecretInfo]] = {}
    for secret in tx.execute(live.order_by(webhook_secrets.c.version)):
        ages.setdefault(secret.webhook_id, []).append(
            SecretInfo(secret.version, secret.created_at, secret.expires_at)
        )
    return tuple(_webhook(row, tuple(ages.get(row.id, ()))) for row in rows)


def _webhook(row: Any, secrets: tuple[SecretInfo, ...]) -> ManagedWebhook:
    return ManagedWebhook(
        id=row.id,
        name=row.name,
        scope=Scope.parse(row.scope),
        connection_id=row.connection_id,
        event_set=EventSet(row.event_set),
        only=EventFilter(tuple(row.service_ids), tuple(row.team_ids)),
        subscription_ids=tuple(row.subscription_id.split(",")) if row.subscription_id else (),
        managed=row.managed,
        created_at=row.created_at,
        armed_at=row.armed_at,
        paused_at=row.paused_at,
        disabled_at=row.disabled_at,
        deleted_at=row.deleted_at,
        findings=tuple(row.findings),
        examined_at=row.examined_at,
        secrets=secrets,
    )
