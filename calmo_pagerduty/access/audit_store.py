"""The audit chain: append-only rows. Each row's hash covers its record and the previous row's hash.

`hash` is SHA-256 in hex of the previous hash, a line break and the record's canonical JSON.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import lock_audit_order
from calmo_pagerduty.db.tables import audit
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility

#: The previous hash of the first row.
GENESIS = "0" * 64
#: A search of the chain looks at no more rows than these, so that a page never waits for a long one.
SEARCHED_ROWS = 50_000

_LAST = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
_INSERT = audit.insert()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the chain. `at` is UTC."""

    seq: int
    at: datetime
    scope: str
    record: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """`broken` names the first invalid row and the fault; None if all are valid. `head` is the last hash."""

    rows: int
    head: str
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class NewAuditRow:
    """A record to append. It must hold no secrets and no texts of people."""

    scope: str
    at: datetime
    record: Mapping[str, Any]


def insert_audit_row(tx: Transaction, scope: str, at: datetime, record: Mapping[str, Any]) -> None:
    """Append a record to the chain."""
    insert_audit_rows(tx, [NewAuditRow(scope, at, record)])


def insert_audit_rows(tx: Transaction, new: Sequence[NewAuditRow]) -> None:
    """Append records to the chain, in this order."""
    lock_audit_order(tx)
    last = tx.execute(_LAST).one_or_none()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    rows = []
    for entry in new:
        seq += 1
        text = _text(
            {**entry.record, "seq": seq, "at": entry.at.astimezone(UTC).isoformat(), "scope": entry.scope}
        )
        row = {"seq": seq, "at": entry.at, "scope": entry.scope, "record": text, "previous_hash": previous}
        previous = _hash(previous, text)
        rows.append({**row, "hash": previous})
    tx.execute(_INSERT, rows)


def list_audit_rows(
    tx: Transaction, visibility: Visibility, limit: int, before: int | None = None
) -> tuple[AuditRow, ...]:
    """Return the latest rows that the caller may see, newest first."""
    query = sa.select(audit).where(visible_to(audit.c.scope, visibility))
    if before is not None:
        query = query.where(audit.c.seq < before)
    query = query.order_by(audit.c.seq.desc()).limit(limit)
    return tuple(
        AuditRow(row.seq, row.at, row.scope, json.loads(row.record), row.hash) for row in tx.execute(query)
    )


def list_connection_changes(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int
) -> tuple[AuditRow, ...]:
    """Return the latest rows in which somebody changed this connection, newest first.

    Only the newest `SEARCHED_ROWS` rows of the chain are searched.
    """
    newest = sa.select(sa.func.coalesce(sa.func.max(audit.c.seq), 0)).scalar_subquery()
    # The records are canonical JSON, so a field has one text.
    fields = (f'"connection_id": {json.dumps(connection_id)}', '"outcome": "connection ')
    query = sa.select(audit).where(
        visible_to(audit.c.scope, visibility),
        audit.c.seq > newest - SEARCHED_ROWS,
        *(audit.c.record.contains(field, autoescape=True) for field in fields),
    )
    query = query.order_by(audit.c.seq.desc()).limit(limit)
    return tuple(
        AuditRow(row.seq, row.at, row.scope, json.loads(row.record), row.hash) for row in tx.execute(query)
    )


def verify_chain(tx: Transaction, head: str | None = None) -> Verification:
    """Verify all rows. Only a `head` from an earlier verification reveals rows deleted at the end."""
    previous, count, seen = GENESIS, 0, head in {None, GENESIS}
    for row in _rows(tx):
        count += 1
        fault = _row_fault(row, count, previous)
        if fault is not None:
            return Verification(count, previous, f"row {row.seq}: {fault}")
        previous = row.hash
        seen = seen or previous == head
    return Verification(count, previous, None if seen else "the noted head is no longer in the chain")


def _row_fault(row: Any, expected_seq: int, previous: str) -> str | None:
    if row.seq != expected_seq:
        return f"row {expected_seq} is missing"
    if row.previous_hash != previous:
        return "it doesn't follow the row before it"
    if row.hash != _hash(previous, row.record):
        return "its record was altered"
    if _read_record(row.record) != (row.seq, row.scope, row.at.isoformat()):
        return "its columns don't say what its record says"
    return None


def _read_record(text: str) -> tuple[Any, ...] | None:
    """Return the record's own (seq, scope, at); None if the record has another form."""
    try:
        record = json.loads(text)
        return record["seq"], record["scope"], record["at"]
    except (ValueError, LookupError, TypeError):
        return None


def _rows(tx: Transaction) -> Iterator[Any]:
    last = -(2**63)  # a forged row may have any number
    while True:
        query = sa.select(audit).where(audit.c.seq > last).order_by(audit.c.seq).limit(1000)
        rows = tx.execute(query).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].seq


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)


def _hash(previous: str, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
