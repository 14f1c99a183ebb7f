"""Calendars of absences, one for each person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"


def upgrade() -> None:
    op.create_table(
        "absence_calendars",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("spans", JSON, nullable=False),
        sa.Column("known_since", UTC, nullable=False),
        sa.Column("known_until", UTC, nullable=False),
        sa.Column("skipped", JSON, nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("imported_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_absence_calendars_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "user_id", name=op.f("pk_absence_calendars")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE absence_calendars ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE absence_calendars FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON absence_calendars USING ({OURS} OR {OF_ITS_CONNECTION})")
