"""How much of PagerDuty's limits a connection has used: one row each, shared by all processes.

Requests are due one after the other at our rate; one may come early by `BURST_SECONDS`. Whoever asks
gets a moment reserved, so they are served in the order of asking. (The generic cell rate algorithm.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import request_permits
from calmo_pagerduty.db.transactions import Transaction

#: PagerDuty's limit per key. Source: REST documentation, "Rate limits".
PAGERDUTY_PER_MINUTE = 960
#: What we take of it unless a connection says otherwise: a third stays for the customer's own use.
DEFAULT_PER_MINUTE = PAGERDUTY_PER_MINUTE * 2 // 3
#: The most that a connection may take: with what may come early, it stays below PagerDuty's limit.
MAX_PER_MINUTE = 900
#: How far ahead of the steady rate requests may be made.
BURST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Permit:
    """A request may be made after `wait` seconds; not `granted`: nothing is reserved, ask again then."""

    granted: bool
    wait: float


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """PagerDuty's own figures from its last answers, and until when it wants no request."""

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
    """Reserve one request within `patience` seconds, or say how long it would take."""
    return claim_permits(tx, connection_id, per_minute, [timeout], now)[0]


def claim_permits(
    tx: Transaction, connection_id: str, per_minute: int, patiences: Sequence[float], now: datetime
) -> list[Permit]:
    """Reserve a request for each, in this order, as `take` would one by one."""
    row = _get_locked_row(tx, connection_id)
    moment = now.timestamp()
    if row.paused_until > moment:
        return [Permit(False, row.paused_until - moment)] * len(patiences)
    due = max(row.due_at, moment - BURST_SECONDS)
    permits = []
    for patience in patiences:
        wait = max(0.0, due - moment)
        granted = wait <= patience
        permits.append(Permit(granted, wait))
        if granted:
            due += 60.0 / per_minute
    tx.execute(_UPDATE_DUE_AT, {"connection": connection_id, "due": due})
    return permits


def lock_limits(tx: Transaction, connection_id: str) -> None:
    """Let one transaction at a time work on this connection's limits, until it ends."""
    _get_locked_row(tx, connection_id)


def mark_paused(tx: Transaction, connection_id: str, until: datetime) -> None:
    """Let nobody ask before this moment; what was reserved meanwhile is asked for anew."""
    row = _get_locked_row(tx, connection_id)
    moment = max(row.paused_until, until.timestamp())
    _update_row(tx, connection_id, paused_until=moment)


def get_pause(tx: Transaction, connection_id: str, now: datetime) -> timedelta:
    """Return how long nobody may ask; zero if anybody may."""
    query = sa.select(request_permits.c.paused_until).where(request_permits.c.connection_id == connection_id)
    until = tx.execute(query).scalar() or 0.0
    return timedelta(seconds=max(0.0, until - now.timestamp()))


def update_usage(tx: Transaction, connection_id: str, **figures: Any) -> None:
    """Keep what PagerDuty's answer said of its limits."""
    _get_locked_row(tx, connection_id)
    _update_row(tx, connection_id, **figures)


def get_usage(tx: Transaction, connection_id: str) -> RateLimitUsage:
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
