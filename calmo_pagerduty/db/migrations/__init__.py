"""Migrations of the schema. Alembic runs them at start."""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text

from calmo_pagerduty.db.schema import schema_floor
from calmo_pagerduty.db.server_limits import LOCK_MS

logger = logging.getLogger(__name__)

#: An arbitrary number that all versions share: the key of PostgreSQL's advisory lock for migrations.
_LOCK = 7_205_759_404
_VERSIONS = Path(__file__).parent / "versions"


class SchemaProblem(Exception):
    """This program doesn't know the version of the database's schema."""


def upgrade(engine: Engine) -> None:
    """Migrate to the newest version, one process at a time. Raises SQLAlchemyError, SchemaProblem.

    A newer schema is left as it is: migrations add, so that an older program works on, unless the schema
    says that it must not. So a replica may restart in the midst of an upgrade, and one may go back.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            # Whoever waits for a table's lock lets nobody else at the table.
            connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))
        # On SQLite the transaction has begun IMMEDIATE, so it is the lock.
        version, newest = version_of(connection), newest_version()
        if version is not None and version > newest:
            _check_floor(connection, version, newest)
        elif version != newest:
            # Alembic takes long to import, and most starts don't need it.
            from calmo_pagerduty.db.migrations.alembic_run import run  # noqa: PLC0415 - imports Alembic

            run(connection)


def _check_floor(connection: Connection, version: str, newest: str) -> None:
    """Raises SchemaProblem if the schema needs a newer program than this one."""
    if not inspect(connection).has_table(schema_floor.name):
        floor = version
    else:
        floor = connection.execute(select(func.max(schema_floor.c.version))).scalar() or ""
    if floor > newest:
        raise SchemaProblem(
            f"its schema has version {version} and needs programs of {floor} at least, this one has {newest}"
        )
    logger.warning("schema_is_newer", extra={"schema": version, "program": newest})


def version_of(connection: Connection) -> str | None:
    """Return the version of the database's schema; None if it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def newest_version() -> str:
    """Return the version that this program needs: the highest number of a migration's file."""
    return max(path.stem for path in _VERSIONS.glob("[0-9]*.py")).partition("_")[0]
