"""Writes settings and cover requests, and reads what writes need."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import (
    connections,
    cover_requests,
    deliveries,
    delivery_bodies,
    issues,
    workload_settings,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.workload.cover_requests import CoverRequest, CoverState
from calmo_pagerduty.workload.rows import request_from_row, request_values
from calmo_pagerduty.workload.told_pages import BEGINS, ENDS

#: At most so many of a day's events, the newest.
MAX_TOLD = 5000


def mark_drafted(
    tx: Transaction, connection_id: str, draft: dict[str, Any] | None, by: str, at: datetime
) -> None:
    """Replace the draft; None drops it."""
    tx.execute(insert_or_ignore(tx, workload_settings), {"connection_id": connection_id, "version": 0})
    tx.execute(
        sa.update(workload_settings)
        .where(workload_settings.c.connection_id == connection_id)
        .values(draft=draft, drafted_by=by, drafted_at=at)
    )


def mark_published(tx: Transaction, connection_id: str, version: int, by: str, at: datetime) -> bool:
    """Put the draft in force. False if there is none, or another publication came between."""
    changed = tx.execute(
        sa.update(workload_settings)
        .where(
            workload_settings.c.connection_id == connection_id,
            workload_settings.c.version == version,
            workload_settings.c.draft.is_not(None),
        )
        .values(
            published=workload_settings.c.draft,
            published_by=by,
            published_at=at,
            draft=None,
            version=version + 1,
        )
    )
    return changed.rowcount == 1


def insert_request(tx: Transaction, request: CoverRequest) -> bool:
    """Insert a request. False if there is one of this id: the same night asks once."""
    return tx.execute(insert_or_ignore(tx, cover_requests), request_values(request)).rowcount == 1


def get_request(tx: Transaction, request_id: str) -> CoverRequest | None:
    row = tx.execute(sa.select(cover_requests).where(cover_requests.c.id == request_id)).one_or_none()
    return None if row is None else request_from_row(row)


def update_request(tx: Transaction, request: CoverRequest) -> bool:
    """Save an answer. False if another answer ended the request before."""
    is_open = sa.and_(cover_requests.c.id == request.id, cover_requests.c.state == CoverState.OPEN)
    return (
        tx.execute(sa.update(cover_requests).where(is_open).values(**request_values(request))).rowcount == 1
    )


def mark_called(tx: Transaction, request_id: str, call_id: str) -> None:
    """Note the tool call that puts the person on call."""
    of_request = cover_requests.c.id == request_id
    tx.execute(sa.update(cover_requests).where(of_request).values(call_id=call_id))


def list_expired_requests(tx: Transaction, now: datetime, limit: int) -> tuple[CoverRequest, ...]:
    """Return open requests whose time ran out."""
    query = sa.select(cover_requests).where(
        cover_requests.c.state == CoverState.OPEN, cover_requests.c.expires_at <= now
    )
    return tuple(
        request_from_row(row) for row in tx.execute(query.order_by(cover_requests.c.id).limit(limit))
    )


def list_told_bodies(tx: Transaction, connection_id: str, since: datetime) -> tuple[bytes, ...]:
    """Return the bodies of the events that tell of pages, of incidents that lived since then.

    A drill's incident is no issue, so that its events aren't among them.
    """
    recent = sa.select(issues.c.incident_id).where(
        issues.c.connection_id == connection_id, issues.c.as_of >= since
    )
    query = (
        sa.select(delivery_bodies.c.body)
        .join(deliveries, deliveries.c.seq == delivery_bodies.c.seq)
        .where(
            deliveries.c.connection_id == connection_id,
            deliveries.c.incident_id.in_(recent),
            deliveries.c.event_type.in_(sorted(BEGINS | ENDS)),
            deliveries.c.occurred_at >= since,
        )
        .order_by(deliveries.c.seq.desc())
        .limit(MAX_TOLD)
    )
    return tuple(tx.execute(query).scalars())


def list_connections(tx: Transaction) -> tuple[tuple[str, str], ...]:
    """Return (connection id, scope) of connections with a token: rough nights are looked for there."""
    live = sa.and_(connections.c.removed_at.is_(None), connections.c.token_kind.is_not(None))
    query = sa.select(connections.c.id, connections.c.scope).where(live).order_by(connections.c.id)
    return tuple((row[0], row[1]) for row in tx.execute(query))


def delete_old_requests(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete requests for cover whose time has ended before, and those of removed connections."""
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    is_due = sa.or_(cover_requests.c.ends_at < older_than, cover_requests.c.connection_id.in_(removed))
    due = sa.select(cover_requests.c.id).where(is_due).order_by(cover_requests.c.id).limit(limit)
    return tx.execute(sa.delete(cover_requests).where(cover_requests.c.id.in_(due))).rowcount
