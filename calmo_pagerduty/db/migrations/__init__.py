"""The schema's history, run by Alembic at start."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

#: Any number, the same in every process: PostgreSQL's advisory lock round a migration.
_LOCK = 7_205_759_404
_VERSIONS = Path(__file__).parent / "versions"


class SchemaProblem(Exception):
    """The database's schema is of a version that this program doesn't know."""


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, one process at a time. Raises SQLAlchemyError, SchemaProblem."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # On SQLite the transaction has begun IMMEDIATE, so it is the lock.
        if version_of(connection) != newest_version():
            # Most starts don't need Alembic, and a worker that was killed is awaited: it takes a moment
            # to import.
            from calmo_pagerduty.db.migrations.alembic_run import run  # noqa: PLC0415 - slow

            run(connection)


def version_of(connection: Connection) -> str | None:
    """Return the version that the database has; None if it has no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def newest_version() -> str:
    """Return the version that this program needs: migrations are numbered by their files."""
    return max(path.stem for path in _VERSIONS.glob("[0-9]*.py")).partition("_")[0]
