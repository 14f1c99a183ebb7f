"""Migrations of the schema. Alembic runs them at start."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

#: An arbitrary number that all versions share: the key of PostgreSQL's advisory lock for migrations.
_LOCK = 7_205_759_404
_VERSIONS = Path(__file__).parent / "versions"


class SchemaProblem(Exception):
    """This program doesn't know the version of the database's schema."""


def upgrade(engine: Engine) -> None:
    """Migrate to the newest version, one process at a time. Raises SQLAlchemyError, SchemaProblem."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # On SQLite the transaction has begun IMMEDIATE, so it is the lock.
        if version_of(connection) != newest_version():
            # Alembic takes long to import, and most starts don't need it.
            from calmo_pagerduty.db.migrations.alembic_run import run  # noqa: PLC0415 - imports Alembic

            run(connection)


def version_of(connection: Connection) -> str | None:
    """Return the version of the database's schema; None if it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def newest_version() -> str:
    """Return the version that this program needs: the highest number of a migration's file."""
    return max(path.stem for path in _VERSIONS.glob("[0-9]*.py")).partition("_")[0]
