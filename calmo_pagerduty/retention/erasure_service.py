"""Erase an issue, a person or a tenant in the database, batch by batch, and audit it without naming it."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from calmo_pagerduty.access.audit_store import insert_audit_row
from calmo_pagerduty.access.key_audit_store import COMMAND_LINE, OPERATORS
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.retention import erasure_store as store
from calmo_pagerduty.retention.erasure_store import ErasedBatch, Rewriting
from calmo_pagerduty.retention.erasure_targets_store import Erasure
from calmo_pagerduty.retention.pseudonyms import Pseudonym

Rewrite = Callable[[Transaction, tuple[Any, ...] | None], ErasedBatch]


def count_erasure(database: Database, erasure: Erasure) -> Mapping[str, int]:
    """Return the number of rows by table that an erasure would delete, empty or rewrite.

    Raises StoreUnavailable.
    """
    counts: Counter[str] = Counter()
    for target in erasure.targets:
        counted = partial(store.count_target, target=target)
        counts[target.table.name] += database.read_blocking(counted)
    counting = Rewriting(Pseudonym(erasure.texts, "erased"), erasure.holds_besides, carry_out=False)
    for name, rewrite in _rewrites(counting):
        counts[name] += _run(database.read_blocking, rewrite)
    return +counts


def carry_out_erasure(database: Database, erasure: Erasure, now: datetime) -> Mapping[str, int]:
    """Erase, and return the number of rows by table. Carried out again, it finds nothing.

    Raises StoreUnavailable.
    """
    counts: Counter[str] = Counter()
    pseudonym = Pseudonym(erasure.texts, f"erased-{secrets.token_hex(4)}")
    for target in erasure.targets:
        erase = partial(store.erase_target_batch, target=target)
        while rows := database.write_blocking(erase):
            counts[target.table.name] += rows
    rewriting = Rewriting(pseudonym, erasure.holds, carry_out=True)
    for name, rewrite in _rewrites(rewriting):
        counts[name] += _run(database.write_blocking, rewrite)
    record = {
        "key_id": None,
        "requester": COMMAND_LINE,
        "outcome": f"{erasure.kind} erased",
        "rows": counts.total(),
    }
    database.write_blocking(lambda tx: insert_audit_row(tx, OPERATORS, now, record))
    return +counts


def _rewrites(rewriting: Rewriting) -> Iterable[tuple[str, Rewrite]]:
    if not rewriting.pseudonym.needles:
        return
    for table, columns in store.rewritten_tables():
        yield table.name, _rewrite(table, columns, rewriting)
    yield "snapshot_blobs", lambda tx, after: store.rewrite_blobs_batch(tx, rewriting, after)
    yield "delivery_bodies", lambda tx, after: store.delete_bodies_batch(tx, rewriting, after)


def _rewrite(table: Any, columns: Sequence[Any], rewriting: Rewriting) -> Rewrite:
    return lambda tx, after: store.rewrite_batch(tx, table, columns, rewriting, after)


def _run(transact: Callable[[Callable[[Transaction], ErasedBatch]], ErasedBatch], rewrite: Rewrite) -> int:
    rows = 0
    after: tuple[Any, ...] | None = None
    while True:
        batch = transact(partial(_at, rewrite, after))
        rows += batch.rows
        if batch.next_after is None:
            return rows
        after = batch.next_after


def _at(rewrite: Rewrite, after: tuple[Any, ...] | None, tx: Transaction) -> ErasedBatch:
    return rewrite(tx, after)
