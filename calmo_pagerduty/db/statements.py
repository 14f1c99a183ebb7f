"""Statements that differ between SQLite and PostgreSQL."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Visibility

#: Arbitrary keys of advisory locks, the same in every process: for appending to `issue_changes`,
_CHANGES_LOCK = 7_205_759_405
#: and for appending to the audit chain.
_AUDIT_LOCK = 7_205_759_406
#: The execution option of a database that signs rows of the audit: its `AuditKeys`.
AUDIT_KEYS = "audit_keys"
_CONTENDED = "contended"
_RESTRICTED = "restricted"
_RESTRICT_VISIBILITY = text("SELECT set_config('calmo.scopes', :scopes, true)")


T = TypeVar("T")


def insert_or_ignore(tx: Transaction, table: Table) -> Insert:
    """Return INSERT … ON CONFLICT DO NOTHING. Its rowcount is 1 if the row is new."""
    return _insert_or_ignore(tx.dialect.name, table)


@functools.cache
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # With RETURNING (PostgreSQL), the rowcount would be -1 otherwise.
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def upsert(tx: Transaction, table: Table, *unchanged: str) -> Insert:
    """Return INSERT … ON CONFLICT DO UPDATE, which updates all columns but the key and `unchanged`."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = [column.name for column in table.c if column.name not in {*keys, *unchanged}]
    news = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=keys, set_=news)


def lock_change_order(tx: Transaction) -> None:
    """Let only this transaction append to `issue_changes`, so that ids grow in the order of commit.

    Otherwise a reader that has seen id 7 would miss id 6 if that is committed later. SQLite has only one
    writer at a time.
    """
    _lock(tx, _CHANGES_LOCK)


def lock_audit_order(tx: Transaction) -> None:
    """Let only this transaction append to the audit chain, until it ends."""
    _lock(tx, _AUDIT_LOCK)


def _lock(tx: Transaction, key: int) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    mark_contended(tx)


def mark_contended(tx: Transaction) -> None:
    """Say that the transaction holds what writers of other processes wait for.

    Then nothing that waits for others may follow in it, or two processes could wait for each other: its
    writer commits it before the next function.
    """
    tx.info[_CONTENDED] = tx.get_transaction()


def is_contended(tx: Transaction) -> bool:
    """Tell whether other writers wait for this transaction. Those of SQLite wait for the one lock anyway."""
    return tx.dialect.name == "postgresql" and tx.info.get(_CONTENDED) is tx.get_transaction()


def get_database_time(tx: Transaction) -> datetime:
    """Return the time (UTC) of the clock that all processes share: PostgreSQL's, or this machine's."""
    if tx.dialect.name == "postgresql":
        moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
        return moment
    return datetime.now(UTC)


def restrict_visibility(tx: Transaction, visibility: Visibility) -> None:
    """Let PostgreSQL's row-level security hide all other scopes for the rest of this transaction.

    A single comma means no scope at all; no scope contains a comma.
    """
    if tx.dialect.name == "postgresql" and not visibility.everything:
        scopes = ",".join(str(scope) for scope in visibility.scopes) or ","
        tx.execute(_RESTRICT_VISIBILITY, {"scopes": scopes})
        tx.info[_RESTRICTED] = tx.get_transaction(), scopes


def run_restricted(tx: Transaction, work: Callable[[Transaction], T], visibility: Visibility) -> T:
    """Run `work` with only these scopes in sight, and lift that again: others use the transaction after it.

    If `work` raises, the transaction ends, and the restriction with it.
    """
    restrict_visibility(tx, visibility)
    result = work(tx)
    if _restriction_of(tx) is not None:
        tx.execute(_RESTRICT_VISIBILITY, {"scopes": ""})
        del tx.info[_RESTRICTED]
    return result


@contextmanager
def all_in_sight(tx: Transaction) -> Iterator[None]:
    """Lift the restriction to some scopes for the statements of the block: for what all scopes share."""
    scopes = _restriction_of(tx)
    if scopes is None:
        yield
        return
    tx.execute(_RESTRICT_VISIBILITY, {"scopes": ""})
    yield
    tx.execute(_RESTRICT_VISIBILITY, {"scopes": scopes})


def _restriction_of(tx: Transaction) -> str | None:
    transaction, scopes = tx.info.get(_RESTRICTED, (None, None))
    return scopes if transaction is tx.get_transaction() else None
