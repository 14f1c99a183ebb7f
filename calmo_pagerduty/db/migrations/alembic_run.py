"""Runs Alembic on a given connection."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from calmo_pagerduty.db.migrations import SchemaProblem


def run(connection: Connection) -> None:
    """Migrate to the newest version. Raises SQLAlchemyError, SchemaProblem."""
    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise SchemaProblem(str(error)) from error


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
