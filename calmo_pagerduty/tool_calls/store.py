"""Store tool calls: each is a row, from the request to the result. Times are UTC."""

from collections.abc import Collection, Mapping
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
    """One call. `result` and `error` hold PagerDuty's answer, which never enters a history. Times are UTC."""

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
    #: The start of the first attempt that may have had an effect.
    first_attempt_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallCursor:
    """A call's position in the order of creation."""

    created_at: datetime
    id: str

    @classmethod
    def of(cls, call: ToolCall) -> Self:
        """Return the cursor of the page that begins after the call."""
        return cls(call.created_at, call.id)


def insert_call(tx: Transaction, call: ToolCall) -> tuple[ToolCall, bool]:
    """Insert a call unless its id exists. Returns the stored call, and True if it is new.

    Raises IdempotencyKeyReused.
    """
    values = {
        column.name: getattr(call, column.name)
        for column in tool_calls.columns
        if column.name not in {"scope", "arguments"}
    }
    row = {**values, "scope": str(call.scope), "arguments": dict(call.arguments)}
    if tx.execute(insert_or_ignore(tx, tool_calls), row).rowcount == 1:
        return call, True
    stored = get_call(tx, call.id)
    if stored is None:
        raise IdempotencyKeyReused("this idempotency key was used for another call")
    check_same_call(stored, call)
    return stored, False


def check_same_call(stored: ToolCall, call: ToolCall) -> None:
    """Raises IdempotencyKeyReused if the stored call has another tool or other arguments."""
    if stored.arguments_sha256 != call.arguments_sha256:
        raise IdempotencyKeyReused("this idempotency key was used for another tool or with other arguments")


def get_repeated_call(
    tx: Transaction, connection_id: str, key_ids: Collection[str], idempotency_key: str
) -> ToolCall | None:
    """Return the call that one of these API keys made before with the idempotency key, the first of them."""
    query = sa.select(tool_calls).where(
        tool_calls.c.connection_id == connection_id,
        tool_calls.c.key_id.in_(key_ids),
        tool_calls.c.idempotency_key == idempotency_key,
    )
    row = tx.execute(query.order_by(tool_calls.c.created_at, tool_calls.c.id).limit(1)).one_or_none()
    return None if row is None else _call(row)


def get_call(tx: Transaction, call_id: str) -> ToolCall | None:
    """Return a call, without a check of visibility."""
    row = tx.execute(_select_call(call_id)).one_or_none()
    return None if row is None else _call(row)


def lock_call(tx: Transaction, call_id: str) -> ToolCall | None:
    """Return a call and lock its row until the transaction ends."""
    row = tx.execute(_select_call(call_id).with_for_update()).one_or_none()
    return None if row is None else _call(row)


def get_visible_call(tx: Transaction, visibility: Visibility, call_id: str) -> ToolCall | None:
    """Return a call; None if it doesn't exist or the caller may not see it."""
    call = get_call(tx, call_id)
    return call if call is not None and visibility.admits(call.scope) else None


def list_calls(
    tx: Transaction, visibility: Visibility, states: frozenset[CallState], limit: int
) -> tuple[ToolCall, ...]:
    """Return the latest calls in these states (in all states if `states` is empty), newest first."""
    query = sa.select(tool_calls).where(visible_to(tool_calls.c.scope, visibility))
    if states:
        query = query.where(tool_calls.c.state.in_(states))
    query = query.order_by(tool_calls.c.created_at.desc(), tool_calls.c.id).limit(limit)
    return tuple(_call(row) for row in tx.execute(query))


def list_unaccepted_calls(tx: Transaction, filed_before: datetime, limit: int) -> tuple[ToolCall, ...]:
    """Return open calls of operations that no incident's workflow has accepted, oldest first."""
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
    """Return calls that have run since `begun_before`, or whose approval has expired, oldest first."""
    position = sa.tuple_(tool_calls.c.created_at, tool_calls.c.id)
    query = (
        sa.select(tool_calls)
        .where(
            sa.true()
            if after is None
            else position > sa.tuple_(sa.literal(after.created_at, Utc()), after.id),
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
    """Count the tool's calls on this connection in the last hour that count against its cap."""
    return tx.execute(
        sa.select(sa.func.count()).where(
            tool_calls.c.connection_id == connection_id,
            tool_calls.c.tool == tool,
            tool_calls.c.created_at > now - CAP_WINDOW,
            tool_calls.c.state.not_in(_UNCOUNTED_STATES),
        )
    ).scalar_one()


def mark_attempt_started(tx: Transaction, call_id: str, now: datetime) -> None:
    """Record, before a request is sent, that the attempt may have an effect."""
    tx.execute(
        _update_open_call(call_id).values(
            attempts=tool_calls.c.attempts + 1,
            first_attempt_at=sa.func.coalesce(tool_calls.c.first_attempt_at, sa.literal(now, Utc())),
        )
    )


def mark_attempt_without_effect(tx: Transaction, call: ToolCall) -> bool:
    """Record that the attempt after `call` was read changed nothing, like all attempts before it.

    Returns False if another attempt has started since, which may have an effect.
    """
    same_attempt = _update_open_call(call.id).where(tool_calls.c.attempts == call.attempts + 1)
    return tx.execute(same_attempt.values(first_attempt_at=None)).rowcount == 1


def mark_decided(tx: Transaction, call_id: str, approver: str, state: CallState, now: datetime) -> bool:
    """Save a person's decision. Returns False if the call no longer waits, or its approval has expired."""
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
    """Save a call's end. Returns False if it has ended before."""
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
