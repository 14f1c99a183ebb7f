"""Permits: each connection's use of PagerDuty's rate limit, in one row that all processes share.

Requests are due one after the other at our rate, and a request may be up to `BURST_SECONDS` early. Each
permit reserves a time, so requests are served in order. Source: generic cell rate algorithm (GCRA).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore, mark_contended
from calmo_pagerduty.db.tables import request_paces, request_permits
from calmo_pagerduty.db.transactions import Transaction

#: PagerDuty's limit per key. Source: PagerDuty's documentation, "REST API Rate Limits".
PAGERDUTY_PER_MINUTE = 960
#: Our default share. The customer's own programs keep a third.
DEFAULT_PER_MINUTE = PAGERDUTY_PER_MINUTE * 2 // 3
#: Maximum share of a connection. Together with early requests, it stays below PagerDuty's limit.
MAX_PER_MINUTE = 900
#: How many seconds a request may be ahead of the steady rate.
BURST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Permit:
    """If `granted`, the request may be sent after `wait` seconds; else claim again after `wait` seconds."""

    granted: bool
    wait: float


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """PagerDuty's figures from its last answers, and the time until which it refuses requests. UTC."""

    paused_until: datetime | None = None
    minute_limit: int | None = None
    minute_remaining: int | None = None
    minute_seen_at: datetime | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset_at: datetime | None = None


def claim_permit(
    tx: Transaction, connection_id: str, per_minute: int, timeout: float, now: datetime
) -> Permit:
    """Reserve one request within `timeout` seconds, or return how long the wait would be."""
    return claim_permits(tx, connection_id, per_minute, [timeout], now)[0]


def claim_permits(
    tx: Transaction, connection_id: str, per_minute: int, timeouts: Sequence[float], now: datetime
) -> list[Permit]:
    """Claim a permit for each of `timeouts` (seconds), in this order."""
    row = _get_locked_row(tx, connection_id)
    moment = now.timestamp()
    if row.paused_until > moment:
        return [Permit(False, row.paused_until - moment)] * len(timeouts)
    due = max(row.due_at, moment - BURST_SECONDS)
    permits = []
    for timeout in timeouts:
        wait = max(0.0, due - moment)
        granted = wait <= timeout
        permits.append(Permit(granted, wait))
        if granted:
            due += 60.0 / per_minute
    tx.execute(_UPDATE_DUE_AT, {"connection": connection_id, "due": due})
    return permits


def claim_turn(
    tx: Transaction, connection_id: str, pace: str, seconds: float, at_once: int, now: datetime
) -> float:
    """Reserve the next turn at a pace of one request every `seconds`, and return the seconds until it."""
    key = {"connection_id": connection_id, "pace": pace}
    row = sa.and_(request_paces.c.connection_id == connection_id, request_paces.c.pace == pace)
    tx.execute(insert_or_ignore(tx, request_paces), {**key, "due_at": 0.0})
    before: float = tx.execute(sa.select(request_paces.c.due_at).where(row).with_for_update()).scalar_one()
    moment = now.timestamp()
    mark_contended(tx)
    due = max(before, moment - seconds * at_once) + seconds
    tx.execute(sa.update(request_paces).where(row).values(due_at=due))
    return max(0.0, due - moment)


def lock_limits(tx: Transaction, connection_id: str) -> None:
    """Lock the connection's limits until the transaction ends."""
    _get_locked_row(tx, connection_id)


def mark_paused(tx: Transaction, connection_id: str, until: datetime) -> None:
    """Grant no permits until `until`. Reserved requests must be claimed again."""
    row = _get_locked_row(tx, connection_id)
    moment = max(row.paused_until, until.timestamp())
    _update_row(tx, connection_id, paused_until=moment)


def get_pause(tx: Transaction, connection_id: str, now: datetime) -> timedelta:
    """Return how long the pause still lasts; zero without a pause."""
    query = sa.select(request_permits.c.paused_until).where(request_permits.c.connection_id == connection_id)
    until = tx.execute(query).scalar() or 0.0
    return timedelta(seconds=max(0.0, until - now.timestamp()))


def update_usage(tx: Transaction, connection_id: str, **figures: Any) -> None:
    """Store the limits from PagerDuty's answer, by column."""
    _get_locked_row(tx, connection_id)
    _update_row(tx, connection_id, **figures)


def get_usage(tx: Transaction, connection_id: str) -> RateLimitUsage:
    """Return what PagerDuty last said of the connection's limits; nothing known if it never did."""
    row = tx.execute(
        sa.select(request_permits).where(request_permits.c.connection_id == connection_id)
    ).one_or_none()
    if row is None:
        return RateLimitUsage()
    return RateLimitUsage(
        paused_until=datetime.fromtimestamp(row.paused_until, UTC) if row.paused_until else None,
        minute_limit=row.minute_limit,
        minute_remaining=row.minute_remaining,
        minute_seen_at=row.minute_seen_at,
        daily_limit=row.daily_limit,
        daily_remaining=row.daily_remaining,
        daily_reset_at=row.daily_reset_at,
    )


def _get_locked_row(tx: Transaction, connection_id: str) -> Any:
    row = tx.execute(_FIND, {"connection": connection_id}).one_or_none()
    if row is None:
        first = {"connection_id": connection_id, "due_at": 0.0, "paused_until": 0.0}
        tx.execute(insert_or_ignore(tx, request_permits), first)
        row = tx.execute(_FIND, {"connection": connection_id}).one()
    mark_contended(tx)
    return row


def _update_row(tx: Transaction, connection_id: str, **values: Any) -> None:
    tx.execute(_UPDATE.values(**values), {"connection": connection_id})


_FIND = (
    sa.select(request_permits)
    .where(request_permits.c.connection_id == sa.bindparam("connection"))
    .with_for_update()
)
_UPDATE = sa.update(request_permits).where(request_permits.c.connection_id == sa.bindparam("connection"))
_UPDATE_DUE_AT = _UPDATE.values(due_at=sa.bindparam("due"))
