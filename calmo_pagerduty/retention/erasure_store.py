"""Erase an issue, a person or a tenant: delete the rows that are theirs, and rewrite those that mention them.

Every function works on a batch and says where to go on, so that each has a transaction of its own. Without
`carry_out`, it only counts.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.schema import Text, metadata
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.retention.pseudonyms import Pseudonym
from calmo_pagerduty.snapshots.codec import COMPRESSION_LEVEL

BATCH_SIZE = 200
#: A content of a snapshot may have megabytes.
BLOB_BATCH_SIZE = 20
#: Never rewritten: the audit is a chain of hashes, and is cut in time; the others hold no texts of people.
NOT_REWRITTEN = frozenset({"audit", "audit_segments", "key_checks", "leases"})


@dataclass(frozen=True, slots=True)
class Target:
    """Rows of a table to delete, or to empty of `cleared` columns if there are any."""

    table: Table
    condition: ColumnElement[bool]
    cleared: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ErasedBatch:
    """The number of erased rows, and the key to go on after; None at the end."""

    rows: int
    next_after: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What takes the place of which texts, and in which rows of each table. Else, it only counts."""

    pseudonym: Pseudonym
    among: Callable[[Table], ColumnElement[bool]]
    carry_out: bool


def count_target(tx: Transaction, target: Target) -> int:
    """Return how many rows a target has."""
    return tx.execute(
        sa.select(sa.func.count()).select_from(target.table).where(target.condition)
    ).scalar_one()


def erase_target_batch(tx: Transaction, target: Target) -> int:
    """Delete or empty a batch of a target's rows. Return how many: 0 when none is left."""
    key = sa.tuple_(*target.table.primary_key.columns)
    due = sa.select(*target.table.primary_key.columns).where(target.condition).limit(BATCH_SIZE)
    keys = [tuple(row) for row in tx.execute(due)]
    if not keys:
        return 0
    if target.cleared:
        tx.execute(sa.update(target.table).where(key.in_(keys)).values(**dict(target.cleared)))
    else:
        tx.execute(sa.delete(target.table).where(key.in_(keys)))
    return len(keys)


def rewritten_tables() -> tuple[tuple[Table, tuple[sa.Column[Any], ...]], ...]:
    """Return the tables whose texts are rewritten, with these columns: all texts that are no keys."""
    found = []
    for table in metadata.sorted_tables:
        columns = tuple(column for column in table.columns if _is_rewritten(column))
        if columns and table.name not in NOT_REWRITTEN:
            found.append((table, columns))
    return tuple(found)


def _is_rewritten(column: sa.Column[Any]) -> bool:
    is_text = isinstance(column.type, Text | sa.JSON)
    return is_text and not column.primary_key and not column.foreign_keys


def rewrite_batch(
    tx: Transaction,
    table: Table,
    columns: Sequence[sa.Column[Any]],
    rewriting: Rewriting,
    after: tuple[Any, ...] | None,
) -> ErasedBatch:
    """Rewrite a batch of rows that mention what is to be erased."""
    pseudonym = rewriting.pseudonym
    key = tuple(table.primary_key.columns)
    mentions = sa.or_(
        *(
            sa.cast(column, Text).icontains(needle, autoescape=True)
            for column in columns
            for needle in pseudonym.needles
        )
    )
    query = sa.select(*key, *columns).where(mentions, rewriting.among(table))
    query = query.order_by(*key).limit(BATCH_SIZE)
    rows = tx.execute(_going_on(query, key, after)).all()
    changed = 0
    for row in rows:
        old = {column.name: row._mapping[column] for column in columns}
        new = {name: pseudonym.replace(value) for name, value in old.items()}
        if new == old:
            continue
        changed += 1
        if rewriting.carry_out:
            same = sa.and_(*(column == row._mapping[column] for column in key))
            tx.execute(sa.update(table).where(same).values(**_with_digest(table, new)))
    return _batch(rows, key, changed)


def _with_digest(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    """Let the digest of a rewritten result be that of its new text."""
    if table is tables.analysis_results:
        values["digest"] = hashlib.sha256(values["document"].encode()).hexdigest()
    return values


def rewrite_blobs_batch(tx: Transaction, rewriting: Rewriting, after: tuple[Any, ...] | None) -> ErasedBatch:
    """Rewrite contents of snapshots, which are compressed, and let the snapshots have the new ones."""
    blobs = tables.snapshot_blobs
    key = (blobs.c.connection_id, blobs.c.digest)
    query = sa.select(blobs).where(rewriting.among(blobs)).order_by(*key).limit(BLOB_BATCH_SIZE)
    rows = tx.execute(_going_on(query, key, after)).all()
    changed = 0
    for row in rows:
        old = zlib.decompress(row.data).decode()
        new = rewriting.pseudonym.replace(old)
        if new == old:
            continue
        changed += 1
        if rewriting.carry_out:
            _replace_blob(tx, row, new.encode())
    return ErasedBatch(changed, tuple(rows[-1][:2]) if len(rows) == BLOB_BATCH_SIZE else None)


def _replace_blob(tx: Transaction, row: Any, text: bytes) -> None:
    blobs, parts = tables.snapshot_blobs, tables.snapshot_parts
    digest = hashlib.sha256(text).hexdigest()
    values = {"connection_id": row.connection_id, "digest": digest}
    exists = sa.select(blobs.c.digest).filter_by(**values)
    if tx.execute(exists).first() is None:
        tx.execute(blobs.insert().values(**values, data=zlib.compress(text, COMPRESSION_LEVEL)))
    of_old = {"connection_id": row.connection_id, "digest": row.digest}
    tx.execute(sa.update(parts).filter_by(**of_old).values(digest=digest))
    tx.execute(sa.delete(blobs).filter_by(**of_old))


def delete_bodies_batch(tx: Transaction, rewriting: Rewriting, after: tuple[Any, ...] | None) -> ErasedBatch:
    """Delete the bodies of deliveries that mention it. They are signed, so they are not rewritten."""
    bodies = tables.delivery_bodies
    query = sa.select(bodies.c.seq, bodies.c.body).where(rewriting.among(bodies))
    query = query.order_by(bodies.c.seq).limit(BATCH_SIZE)
    rows = tx.execute(_going_on(query, (bodies.c.seq,), after)).all()
    found = [row.seq for row in rows if rewriting.pseudonym.is_in(row.body)]
    if rewriting.carry_out and found:
        tx.execute(sa.delete(bodies).where(bodies.c.seq.in_(found)))
    return _batch(rows, (bodies.c.seq,), len(found))


def _going_on(
    query: sa.Select[Any], key: Sequence[sa.Column[Any]], after: tuple[Any, ...] | None
) -> sa.Select[Any]:
    if after is None:
        return query
    last = [sa.literal(value, column.type) for value, column in zip(after, key, strict=True)]
    return query.where(sa.tuple_(*key) > sa.tuple_(*last))


def _batch(rows: Sequence[Any], key: Iterable[sa.Column[Any]], changed: int) -> ErasedBatch:
    more = len(rows) == BATCH_SIZE
    return ErasedBatch(changed, tuple(rows[-1]._mapping[column] for column in key) if more else None)
