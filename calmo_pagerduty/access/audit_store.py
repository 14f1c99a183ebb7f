"""The audit chain: append-only rows. Each row's hash covers its record and the previous row's hash.

Rows are signed with the keys of the database that appends them (`Database.sign_audit_with`).
Old rows are cut off in sealed segments: `calmo_pagerduty/access/audit_segment_store.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.access.audit_links import GENESIS, row_fault, row_hash
from calmo_pagerduty.access.audit_segment_store import verify_segments
from calmo_pagerduty.access.audit_signed_rows import SignedRows
from calmo_pagerduty.db.audit_signatures import AuditKeys
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.statements import AUDIT_KEYS, all_in_sight, lock_audit_order
from calmo_pagerduty.db.tables import audit
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility

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
    """`broken` names the first invalid row and the fault; None if all are valid. `head` is the last hash.

    `rows` are those that are there, `sealed_rows` those that were cut off in segments. Of the rows that are
    there, `signed_rows` are signed, beginning with row `signed_from`.
    """

    rows: int
    head: str
    broken: str | None = None
    sealed_rows: int = 0
    signed_rows: int = 0
    signed_from: int | None = None


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
    with all_in_sight(tx):  # the chain is of all scopes, and its last row of any
        last = tx.execute(_LAST).one_or_none()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    keys: AuditKeys | None = tx.get_execution_options().get(AUDIT_KEYS)
    rows = []
    for entry in new:
        seq += 1
        text = _text(
            {**entry.record, "seq": seq, "at": entry.at.astimezone(UTC).isoformat(), "scope": entry.scope}
        )
        row = {"seq": seq, "at": entry.at, "scope": entry.scope, "record": text, "previous_hash": previous}
        previous = row_hash(previous, text)
        signature = None if keys is None else keys.sign(seq, previous)
        rows.append({**row, "hash": previous, "signature": signature})
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


def verify_chain(tx: Transaction, keyring: Keyring, head: str | None = None) -> Verification:
    """Verify all rows, and the segments in place of those that were cut.

    Only a `head` from an earlier verification reveals rows deleted at the end.
    """
    sealed = verify_segments(tx, keyring)
    if sealed.broken is not None:
        return Verification(0, sealed.head, sealed.broken, sealed.rows)
    signed = SignedRows(keyring.audit_keys, sealed.signed_since, sealed.last_at)
    previous, count, seen = sealed.head, 0, head in {None, GENESIS, *sealed.heads}
    broken = None
    for row in _rows(tx):
        count += 1
        fault = row_fault(row, sealed.rows + count, previous) or signed.fault(row)
        if fault is not None:
            broken = f"row {row.seq}: {fault}"
            break
        previous = row.hash
        seen = seen or previous == head
    if broken is None and not seen:
        broken = _unseen(sealed.rows)
    return Verification(count, previous, broken, sealed.rows, signed.signed, signed.first)


def _unseen(sealed_rows: int) -> str:
    lost = "the noted head is no longer in the chain"
    return f"{lost}, unless it was of one of the sealed rows 1 to {sealed_rows}" if sealed_rows else lost


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
