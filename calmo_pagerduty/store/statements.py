"""The one place where the two databases' SQL differs."""

import functools

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

#: Any number, the same in every process: who holds it appends to `issue_changes`.
_CHANGES_LOCK = 7_205_759_405


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING; its rowcount says whether the row is new."""
    return _insert_or_ignore(connection.dialect.name, table)


@functools.cache
def _insert_or_ignore(dialect: str, table: Table) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def keep_commit_order(connection: Connection) -> None:
    """Let the numbers of `issue_changes` be given in the order of commit, until this transaction ends.

    A reader that has seen number 7 would otherwise miss a 6 that is committed later. SQLite has one
    writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHANGES_LOCK})
