"""Reads settings and cover requests for callers: visible to whoever sees the connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import connections, cover_requests, workload_settings
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.workload.cover_requests import CoverRequest, CoverState
from calmo_pagerduty.workload.rows import request_from_row


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """The documents as stored. Times are UTC."""

    draft: JsonObject | None = None
    drafted_by: str | None = None
    drafted_at: datetime | None = None
    published: JsonObject | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    version: int = 0


def get_settings(tx: Transaction, visibility: Visibility, connection_id: str) -> StoredSettings:
    """Return a connection's settings; empty ones if nobody wrote any or the caller may not see them."""
    query = _visible(sa.select(workload_settings), workload_settings, visibility).where(
        workload_settings.c.connection_id == connection_id
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return StoredSettings()
    return StoredSettings(**{name: getattr(row, name) for name in StoredSettings.__slots__})


def list_requests(
    tx: Transaction,
    visibility: Visibility,
    connection_id: str,
    limit: int,
    state: CoverState | None = None,
) -> tuple[CoverRequest, ...]:
    """Return a connection's cover requests, newest first."""
    query = _visible(sa.select(cover_requests), cover_requests, visibility).where(
        cover_requests.c.connection_id == connection_id
    )
    if state is not None:
        query = query.where(cover_requests.c.state == state)
    order = (cover_requests.c.created_at.desc(), cover_requests.c.id)
    return tuple(request_from_row(row) for row in tx.execute(query.order_by(*order).limit(limit)))


def get_visible_request(tx: Transaction, visibility: Visibility, request_id: str) -> CoverRequest | None:
    query = _visible(sa.select(cover_requests), cover_requests, visibility).where(
        cover_requests.c.id == request_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else request_from_row(row)


def _visible(query: Any, table: sa.Table, visibility: Visibility) -> Any:
    joined = query.join(connections, connections.c.id == table.c.connection_id)
    return joined.where(visible_to(connections.c.scope, visibility), connections.c.removed_at.is_(None))
