"""The one place where the two databases' SQL differs."""

import functools
from datetime import UTC, datetime

from sqlalchemy import Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Visibility

#: Any number, the same in every process: who holds it appends to `issue_changes`.
_CHANGES_LOCK = 7_205_759_405
#: The same for the audit's chain.
_AUDIT_LOCK = 7_205_759_406
_RESTRICT_VISIBILITY = text("SELECT set_config('calmo.scopes', :scopes, true)")


def insert_or_ignore(tx: Transaction, table: Table) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING; its rowcount says whether the row is new."""
    return _insert_or_ignore(tx.dialect.name, table)


@functools.cache
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # Where the driver answers with RETURNING (PostgreSQL), the count would else be -1.
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def upsert(tx: Transaction, table: Table, *kept: str) -> Insert:
    """INSERT, or where the primary key is there already, UPDATE all other columns but those to be `kept`."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = [column.name for column in table.c if column.name not in {*keys, *kept}]
    news = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=keys, set_=news)


def lock_change_order(tx: Transaction) -> None:
    """Let the numbers of `issue_changes` be given in the order of commit, until this transaction ends.

    A reader that has seen number 7 would otherwise miss a 6 that is committed later. SQLite has one
    writer at a time anyway.
    """
    _lock(tx, _CHANGES_LOCK)


def lock_audit_order(tx: Transaction) -> None:
    """Let one process at a time add to the audit's chain, until this transaction ends."""
    _lock(tx, _AUDIT_LOCK)


def _lock(tx: Transaction, key: int) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def get_database_time(tx: Transaction) -> datetime:
    """Return the time by the one clock that all processes share: the server's. SQLite is on their machine."""
    if tx.dialect.name == "postgresql":
        moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
        return moment
    return datetime.now(UTC)


def restrict_visibility(tx: Transaction, visibility: Visibility) -> None:
    """Let the rest of this transaction see no other scopes: PostgreSQL's row-level security holds it to it.

    A comma alone names none of them; a scope holds no comma.
    """
    if tx.dialect.name == "postgresql" and not visibility.everything:
        scopes = ",".join(str(scope) for scope in visibility.scopes) or ","
        tx.execute(_RESTRICT_VISIBILITY, {"scopes": scopes})
