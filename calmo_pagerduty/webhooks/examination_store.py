"""Reads our webhooks for the doctor, and stores its findings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, webhook_secrets, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.webhooks.event_filters import EVENTS, EventFilter, EventSet
from calmo_pagerduty.webhooks.findings import Finding
from calmo_pagerduty.webhooks.lifecycle import webhook_handle, webhook_url
from calmo_pagerduty.webhooks.store import count_strikes
from calmo_pagerduty.webhooks.subscriptions import LocalWebhook


@dataclass(frozen=True, slots=True)
class Examination:
    """The latest findings on one webhook. Times are UTC."""

    handle: str
    name: str
    connection_id: str
    examined_at: datetime | None
    disabled_at: datetime | None
    findings: tuple[Finding, ...]


def list_local_webhooks(
    tx: Transaction, connection_id: str, public_address: str, now: datetime
) -> tuple[LocalWebhook, ...]:
    """Return the connection's live webhooks with their state on our side."""
    rows = tx.execute(_live_webhooks(webhooks.c.connection_id == connection_id))
    return tuple(_local_webhook(tx, row, public_address, now) for row in rows)


def update_findings(
    tx: Transaction,
    webhook_id: str,
    findings: Sequence[Finding],
    disabled_at: datetime | None,
    now: datetime,
) -> None:
    """Replace a webhook's findings."""
    tx.execute(
        sa.update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(
            findings=[finding.model_dump(mode="json") for finding in findings],
            disabled_at=disabled_at,
            examined_at=now,
        )
    )


def mark_enabled(tx: Transaction, webhook_ids: Collection[str]) -> None:
    """Clear `disabled_at` of these webhooks."""
    changed = sa.update(webhooks).where(webhooks.c.id.in_(list(webhook_ids)))
    tx.execute(changed.values(disabled_at=None))


def list_examinations(
    tx: Transaction, visibility: Visibility, connection_id: str | None = None
) -> tuple[Examination, ...]:
    """Return the latest findings on each webhook that the caller may see, oldest webhook first."""
    conditions = [visible_to(webhooks.c.scope, visibility)]
    if connection_id is not None:
        conditions.append(webhooks.c.connection_id == connection_id)
    return tuple(
        Examination(
            handle=webhook_handle(row.id),
            name=row.name,
            connection_id=row.connection_id,
            examined_at=row.examined_at,
            disabled_at=row.disabled_at,
            findings=tuple(Finding.model_validate(finding) for finding in row.findings),
        )
        for row in tx.execute(_live_webhooks(*conditions))
    )


def get_disabled_webhooks(tx: Transaction) -> Mapping[str, datetime]:
    """Return the webhooks that PagerDuty has disabled: when the doctor first saw that (UTC), by id."""
    rows = tx.execute(_live_webhooks(webhooks.c.disabled_at.is_not(None)))
    return {row.id: row.disabled_at for row in rows}


def _live_webhooks(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    query = sa.select(webhooks).where(webhooks.c.deleted_at.is_(None), *conditions)
    return query.order_by(webhooks.c.created_at, webhooks.c.id)


def _local_webhook(tx: Transaction, row: Any, public_address: str, now: datetime) -> LocalWebhook:
    secret = sa.select(webhook_secrets.c.version).where(
        webhook_secrets.c.webhook_id == row.id,
        sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > now),
    )
    last = sa.select(deliveries.c.received_at).where(deliveries.c.webhook_id == row.id)
    oldest_waiting = sa.select(sa.func.min(deliveries.c.received_at)).where(
        deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.FORWARDED]),
        deliveries.c.webhook_id == row.id,
    )
    only = EventFilter(tuple(row.service_ids), tuple(row.team_ids))
    return LocalWebhook(
        id=row.id,
        url=webhook_url(public_address, row.id),
        event_types=frozenset(map(str, EVENTS[EventSet(row.event_set)])),
        filter_keys=only.filter_keys(),
        subscription_ids=tuple(row.subscription_id.split(",")) if row.subscription_id else (),
        managed=row.managed,
        has_secret=tx.execute(secret.limit(1)).first() is not None,
        paused=row.paused_at is not None,
        armed=row.armed_at is not None,
        disabled_at=row.disabled_at,
        strikes=count_strikes(tx, row.id, now),
        last_delivery_at=tx.execute(last.order_by(deliveries.c.seq.desc()).limit(1)).scalar(),
        waits_since=tx.execute(oldest_waiting).scalar(),
    )
