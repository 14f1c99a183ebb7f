"""Calls of tools that endure: each a row from being asked for to its result."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import sqlalchemy as sa

from calmo_pagerduty.db.operation_tables import operations
from calmo_pagerduty.db.schema import Utc
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import tool_calls
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, Channel

CAP_WINDOW = timedelta(hours=1)
#: Calls that never reached PagerDuty don't count against the cap.
_UNCOUNTED_STATES = (CallState.DENIED, CallState.EXPIRED, CallState.REFUSED)


class IdempotencyKeyReused(Exception):
    """The idempotency key was used before, for another tool or other arguments."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call. `result` and `error` hold what PagerDuty said; they don't leave our database otherwise."""

    id: str
    connection_id: str
    scope: Scope
    tool: str
    face: Channel
    key_id: str
    requester: str
    arguments: Mapping[str, Any]
    arguments_sha256: str
    idempotency_key: str
    state: CallState
    rule: str
    needs_approval: bool
    created_at: datetime
    expires_at: datetime | None = None
    approver: str | None = None
    decided_at: datetime | None = None
    attempts: int = 0
    #: The first attempt of which it isn't known that it changed nothing.
    first_attempt_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallCursor:
    """Where in the order of their filing a call stands."""

    created_at: datetime
    id: str

    @classmethod
    def of(cls, call: ToolCall) -> Self:
        return cls(call.created_at, call.id)


def insert_call(tx: Transaction, call: ToolCall) -> tuple[ToolCall, bool]:
    """Keep a new call; returns it and whether it is new, else the one that is there already.

    Raises KeyUsedOtherwise.
    """
    values = {
        column.name: getattr(call, column.name)
        for column in tool_calls.columns
        if column.name not in {"scope", "arguments"}
    }
    row = {**values, "scope": str(call.scope), "arguments": dict(call.arguments)}
    if tx.execute(insert_or_ignore(tx, tool_calls), row).rowcount == 1:
        return call, True
    known = get_call(tx, call.id)
    if known is None or known.arguments_sha256 != call.arguments_sha256:
        raise IdempotencyKeyReused("this idempotency key was used for another tool or with other arguments")
    return known, False


def get_call(tx: Transaction, call_id: str) -> ToolCall | None:
    """Return a call, for whoever carries it out."""
    row = tx.execute(_select_call(call_id)).one_or_none()
    return None if row is None else _call(row)


def lock_call(tx: Transaction, call_id: str) -> ToolCall | None:
    """Return a call that nobody else changes until the transaction ends."""
    row = tx.execute(_select_call(call_id).with_for_update()).one_or_none()
    return None if row is None else _call(row)


def get_visible_call(tx: Transaction, visibility: Visibility, call_id: str) -> ToolCall | None:
    """Return a call that the caller may see."""
    call = get_call(tx, call_id)
    return call if call is not None and visibility.admits(call.scope) else None


def list_calls(
    tx: Transaction, visibility: Visibility, states: frozenset[CallState], limit: int
) -> tuple[ToolCall, ...]:
    """Return the latest calls in these states (all of them if none is named), newest first."""
    query = sa.select(tool_calls).where(visible_to(tool_calls.c.scope, visibility))
    if states:
        query = query.where(tool_calls.c.state.in_(states))
    query = query.order_by(tool_calls.c.created_at.desc(), tool_calls.c.id).limit(limit)
    return tuple(_call(row) for row in tx.execute(query))


def list_unaccepted_calls(tx: Transaction, filed_before: datetime, limit: int) -> tuple[ToolCall, ...]:
    """Return open calls of actions that their incidents' workflows have not taken over, oldest first."""
    query = (
        sa.select(tool_calls)
        .join(operations, operations.c.id == tool_calls.c.id)
        .where(
            operations.c.accepted_at.is_(None),
            operations.c.filed_at < filed_before,
            tool_calls.c.state.in_(OPEN_STATES),
        )
        .order_by(tool_calls.c.created_at, tool_calls.c.id)
        .limit(limit)
    )
    return tuple(_call(row) for row in tx.execute(query))


def list_overdue_calls(
    tx: Transaction, begun_before: datetime, now: datetime, after: CallCursor | None, limit: int
) -> tuple[ToolCall, ...]:
    """Return calls that have run for long, or that waited longer than they may, oldest first."""
    place = sa.tuple_(tool_calls.c.created_at, tool_calls.c.id)
    query = (
        sa.select(tool_calls)
        .where(
            sa.true() if after is None else place > sa.tuple_(sa.literal(after.created_at, Utc()), after.id),
            sa.or_(
                sa.and_(
                    tool_calls.c.state == CallState.RUNNING,
                    sa.func.coalesce(tool_calls.c.decided_at, tool_calls.c.created_at) < begun_before,
                ),
                sa.and_(tool_calls.c.state == CallState.WAITING, tool_calls.c.expires_at < now),
            ),
        )
        .order_by(tool_calls.c.created_at, tool_calls.c.id)
        .limit(limit)
    )
    return tuple(_call(row) for row in tx.execute(query))


def count_recent_calls(tx: Transaction, connection_id: str, tool: str, now: datetime) -> int:
    """Count what counts against the tool's cap: its calls on this connection in the last hour."""
    return tx.execute(
        sa.select(sa.func.count()).where(
            tool_calls.c.connection_id == connection_id,
            tool_calls.c.tool == tool,
            tool_calls.c.created_at > now - CAP_WINDOW,
            tool_calls.c.state.not_in(_UNCOUNTED_STATES),
        )
    ).scalar_one()


def mark_attempt_started(tx: Transaction, call_id: str, now: datetime) -> None:
    """Remember, before PagerDuty is asked, that it may have been."""
    tx.execute(
        _update_open_call(call_id).values(
            attempts=tool_calls.c.attempts + 1,
            first_attempt_at=sa.func.coalesce(tool_calls.c.first_attempt_at, sa.literal(now, Utc())),
        )
    )


def mark_attempt_without_effect(tx: Transaction, call: ToolCall) -> bool:
    """Of the attempt that `call` was read before it is known that it changed nothing, as none did before
    it. False if another one has begun since: that one may have.
    """
    only_one = _update_open_call(call.id).where(tool_calls.c.attempts == call.attempts + 1)
    return tx.execute(only_one.values(first_attempt_at=None)).rowcount == 1


def mark_decided(tx: Transaction, call_id: str, approver: str, state: CallState, now: datetime) -> bool:
    """Keep a person's decision; False if the call doesn't wait for one any more, or has for too long."""
    changed = tx.execute(
        sa.update(tool_calls)
        .where(
            tool_calls.c.id == call_id,
            tool_calls.c.state == CallState.WAITING,
            sa.or_(tool_calls.c.expires_at.is_(None), tool_calls.c.expires_at > now),
        )
        .values(
            state=state,
            approver=approver,
            decided_at=now,
            finished_at=None if state in OPEN_STATES else now,
        )
    )
    return changed.rowcount == 1


def mark_call_finished(
    tx: Transaction,
    call_id: str,
    state: CallState,
    now: datetime,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> bool:
    """Keep how a call ended; False if it has ended before."""
    values = {
        "state": state,
        "finished_at": now,
        "result": None if result is None else dict(result),
        "error": None if error is None else dict(error),
    }
    return tx.execute(_update_open_call(call_id).values(**values)).rowcount == 1


def _select_call(call_id: str) -> sa.Select[Any]:
    return sa.select(tool_calls).where(tool_calls.c.id == call_id)


def _update_open_call(call_id: str) -> sa.Update:
    return sa.update(tool_calls).where(tool_calls.c.id == call_id, tool_calls.c.state.in_(OPEN_STATES))


def _call(row: Any) -> ToolCall:
    values = row._asdict()
    return ToolCall(
        **{
            **values,
            "scope": Scope.parse(row.scope),
            "face": Channel(row.face),
            "state": CallState(row.state),
        }
    )
