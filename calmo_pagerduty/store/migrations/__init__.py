"""The schema's history, run by Alembic at start."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

#: Any number, the same in every process: PostgreSQL's advisory lock round a migration.
_LOCK = 7_205_759_404


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, one process at a time. Raises SQLAlchemyError."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # On SQLite the transaction has begun IMMEDIATE, so it is the lock.
        command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
