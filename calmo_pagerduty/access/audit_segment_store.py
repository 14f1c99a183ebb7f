"""Cut old rows off the audit chain, in segments that prove what was there.

A segment holds the numbers, the times and the hashes of the first and the last of its rows. It is written
only if its rows are whole, in the transaction that deletes them. Its digest is sealed with the master key, so
that whoever can write to the database alone can't pass a cut of their own for one of ours.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.access.audit_links import GENESIS, row_fault
from calmo_pagerduty.access.audit_signed_rows import SignedRows
from calmo_pagerduty.db.encryption import CannotDecrypt, Keyring, segment_cell
from calmo_pagerduty.db.tables import audit, audit_segments
from calmo_pagerduty.db.transactions import Transaction

#: Rows of a segment.
SEGMENT_ROWS = 1000
#: A smaller segment is made when its first row has waited this long, so that segments stay few.
MAX_WAIT = timedelta(days=7)

_LAST = sa.select(audit_segments).order_by(audit_segments.c.first_seq.desc()).limit(1)


class AuditIsBroken(Exception):
    """Rows that are due are not whole, so they are not cut: the message names the row and its fault."""


@dataclass(frozen=True, slots=True)
class SealedPart:
    """What segments say of the rows that were cut: their number, the hashes at their seams, and a fault.

    `signed_since` and `last_at` are the times (UTC) of the first signed row and of the last row.
    """

    rows: int
    head: str
    heads: frozenset[str]
    broken: str | None = None
    signed_since: datetime | None = None
    last_at: datetime | None = None


def seal_segment(tx: Transaction, keyring: Keyring, older_than: datetime, now: datetime) -> int:
    """Replace the oldest rows by a segment if they are older than a time (UTC). Return how many.

    The newest row stays, because the chain goes on from it. Raises AuditIsBroken.
    """
    first = tx.execute(sa.select(audit).order_by(audit.c.seq).limit(SEGMENT_ROWS + 1)).all()
    rows = list(takewhile(lambda row: row.at < older_than, first[:-1]))
    if not rows or (len(rows) < SEGMENT_ROWS and rows[0].at >= older_than - MAX_WAIT):
        return 0
    last = tx.execute(_LAST).one_or_none()
    seq, previous = (last.last_seq, last.last_hash) if last else (0, GENESIS)
    signed = SignedRows(keyring.audit_keys, *((last.signed_since, last.last_at) if last else ()))
    _check_rows(rows, seq, previous, signed)
    values = {
        "first_seq": seq + 1,
        "last_seq": rows[-1].seq,
        "first_at": rows[0].at,
        "last_at": rows[-1].at,
        "previous_hash": previous,
        "last_hash": rows[-1].hash,
        "signed_since": signed.since,
        "sealed_at": now,
    }
    sealed = keyring.seal(_digest(values), segment_cell(rows[0].seq))
    tx.execute(audit_segments.insert().values(**values, sealed=sealed))
    tx.execute(sa.delete(audit).where(audit.c.seq <= rows[-1].seq))
    return len(rows)


def _check_rows(rows: Sequence[Any], seq: int, previous: str, signed: SignedRows) -> None:
    """Check the rows after the row with this number and hash. Raises AuditIsBroken."""
    for row in rows:
        seq += 1
        fault = row_fault(row, seq, previous) or signed.fault(row)
        if fault is not None:
            raise AuditIsBroken(f"row {row.seq}: {fault}")
        previous = row.hash


def verify_segments(tx: Transaction, keyring: Keyring) -> SealedPart:
    """Verify the segments' seals, and that none is missing between them."""
    segments: Sequence[Any] = tx.execute(sa.select(audit_segments).order_by(audit_segments.c.first_seq)).all()
    seq, previous, heads = 0, GENESIS, set[str]()
    for segment in segments:
        fault = _segment_fault(segment, seq + 1, previous, keyring)
        if fault is not None:
            broken = f"segment {segment.first_seq}: {fault}"
            return SealedPart(seq, previous, frozenset(heads), broken)
        seq, previous = segment.last_seq, segment.last_hash
        heads.add(previous)
    since, last_at = (segments[-1].signed_since, segments[-1].last_at) if segments else (None, None)
    return SealedPart(seq, previous, frozenset(heads), None, since, last_at)


def _segment_fault(segment: Any, expected_seq: int, previous: str, keyring: Keyring) -> str | None:
    if segment.first_seq != expected_seq:
        return f"the segment of row {expected_seq} is missing"
    if segment.previous_hash != previous:
        return "it doesn't follow the segment before it"
    try:
        digest = keyring.open(segment.sealed, segment_cell(segment.first_seq))
    except CannotDecrypt as error:
        return str(error)
    return None if digest == _digest(segment._mapping) else "its columns don't say what was sealed"


def _digest(values: Any) -> bytes:
    names = ["first_seq", "last_seq", "first_at", "last_at", "previous_hash", "last_hash", "sealed_at"]
    # Segments from before signatures were sealed without it.
    names += ["signed_since"] if values["signed_since"] is not None else []
    said = [
        value.astimezone(UTC).isoformat() if isinstance(value := values[name], datetime) else value
        for name in names
    ]
    return hashlib.sha256(json.dumps(said).encode()).digest()
