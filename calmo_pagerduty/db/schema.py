"""Column types and naming of constraints for all tables."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite autoincrements INTEGER only; PostgreSQL's INTEGER ends at two billion.
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


#: Programs that know no schema as new as this one must not use the database.
schema_floor = sa.Table("schema_floor", metadata, sa.Column("version", sa.Text, primary_key=True))


class Utc(TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no zone, so it is removed on write and added on read.

    Raises ValueError for a time without a zone.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored. Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone must not reach the database")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the stored time in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
