"""What is deleted after its time, a few rows a transaction. The audit is not: its chain would break.

Walks go by row numbers, which grow with time, and end at the first row that is young enough: they
read no more than they delete, and what must stay though it is old.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import (
    account_changes,
    account_incidents,
    account_objects,
    connections,
    dead_letters,
    deliveries,
    delivery_bodies,
    refusals,
    tool_calls,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState

BATCH_SIZE = 200
#: Their text has not arrived at the issue yet.
_IN_FLIGHT_STATES = (DeliveryState.PENDING, DeliveryState.FORWARDED)


@dataclass(frozen=True, slots=True)
class DeletedBatch:
    """How many rows were cut, and from where to go on; `next_after` None is the end of the walk."""

    rows: int
    next_after: int | None


#: One step of a walk: from beyond a number, what is older than a moment.
DeleteBatch = Callable[[Transaction, int, datetime], DeletedBatch]


def delete_bodies(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
    """Delete bodies of deliveries that have got where they were going, or never will."""
    bodies = delivery_bodies
    query = (
        sa.select(bodies.c.seq.label("number"), deliveries.c.received_at.label("at"), deliveries.c.state)
        .join(deliveries, deliveries.c.seq == bodies.c.seq)
        .where(bodies.c.seq > after)
        .order_by(bodies.c.seq)
        .limit(BATCH_SIZE)
    )
    rows = tx.execute(query).all()
    old = [row.number for row in rows if row.at < older_than and row.state not in _IN_FLIGHT_STATES]
    tx.execute(sa.delete(bodies).where(bodies.c.seq.in_(old)))
    return _deleted_batch(rows, old, older_than)


def delete_deliveries(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
    """Delete rows of the delivery log with what is left of their bodies."""
    query = (
        sa.select(deliveries.c.seq.label("number"), deliveries.c.received_at.label("at"), deliveries.c.state)
        .where(deliveries.c.seq > after)
        .order_by(deliveries.c.seq)
        .limit(BATCH_SIZE)
    )
    rows = tx.execute(query).all()
    old = [row.number for row in rows if row.at < older_than and row.state not in _IN_FLIGHT_STATES]
    tx.execute(sa.delete(delivery_bodies).where(delivery_bodies.c.seq.in_(old)))
    tx.execute(sa.delete(deliveries).where(deliveries.c.seq.in_(old)))
    return _deleted_batch(rows, old, older_than)


def delete_refusals(tx: Transaction, after: int, older_than: datetime) -> DeletedBatch:
    """Delete rows of the trail of refusals."""
    query = sa.select(refusals.c.id.label("number"), refusals.c.at).where(refusals.c.id > after)
    rows = tx.execute(query.order_by(refusals.c.id).limit(BATCH_SIZE)).all()
    old = [row.number for row in rows if row.at < older_than]
    tx.execute(sa.delete(refusals).where(refusals.c.id.in_(old)))
    return _deleted_batch(rows, old, older_than)


def delete_call_contents(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Forget with what finished calls of tools were made, and what came of them; that they were stays."""
    says_something = tool_calls.c.result.is_not(None) | (sa.cast(tool_calls.c.arguments, sa.Text) != "{}")
    old = sa.select(tool_calls.c.id).where(tool_calls.c.finished_at < older_than, says_something)
    forget = sa.update(tool_calls).where(tool_calls.c.id.in_(old.limit(BATCH_SIZE)))
    rows = tx.execute(forget.values(result=sa.null(), arguments={})).rowcount
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_dead_letter_payloads(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Forget what dead letters said; why they are dead stays."""
    old = sa.select(dead_letters.c.id).where(dead_letters.c.at < older_than, dead_letters.c.payload != "")
    forget = sa.update(dead_letters).where(dead_letters.c.id.in_(old.limit(BATCH_SIZE)))
    rows = tx.execute(forget.values(payload="")).rowcount
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def delete_cached_incidents(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Forget what was remembered of accounts' past incidents."""
    return _delete_cached(tx, account_incidents, account_incidents.c.created_at < older_than)


def delete_cached_changes(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Forget what was remembered of accounts' past changes."""
    return _delete_cached(tx, account_changes, account_changes.c.at < older_than)


def delete_cached_objects(tx: Transaction, _after: int, older_than: datetime) -> DeletedBatch:
    """Forget services, people and the like that nobody has asked for any more."""
    return _delete_cached(tx, account_objects, account_objects.c.fetched_at < older_than)


def _delete_cached(tx: Transaction, table: sa.Table, is_old: sa.ColumnElement[bool]) -> DeletedBatch:
    """Delete some rows of accounts' memory; of a connection that was removed, whatever their age."""
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    key = sa.tuple_(*table.primary_key.columns)
    gone = sa.select(*table.primary_key.columns).where(is_old | table.c.connection_id.in_(removed))
    some = [tuple(row) for row in tx.execute(gone.limit(BATCH_SIZE))]
    rows = tx.execute(sa.delete(table).where(key.in_(some))).rowcount if some else 0
    return DeletedBatch(rows, 0 if rows == BATCH_SIZE else None)


def _deleted_batch(rows: Sequence[Any], old: Sequence[int], older_than: datetime) -> DeletedBatch:
    more = len(rows) == BATCH_SIZE and rows[-1].at < older_than
    return DeletedBatch(len(old), rows[-1].number if more else None)
