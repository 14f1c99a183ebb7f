"""Runs of the on-call analyses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_A_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"


def upgrade() -> None:
    op.create_table(
        "oncall_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.Column("as_of", UTC, nullable=True),
        sa.Column("now", UTC, nullable=True),
        sa.Column("snapshot_id", sa.Text(), nullable=True),
        sa.Column("analyses", JSON, server_default="[]", nullable=False),
        sa.Column("outcomes", JSON, server_default="[]", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_oncall_runs_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oncall_runs")),
    )
    op.create_index(
        op.f("ix_oncall_runs_connection_id_begun_at"),
        "oncall_runs",
        ["connection_id", "begun_at"],
        unique=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE oncall_runs ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE oncall_runs FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON oncall_runs USING ({OURS} OR {OF_A_CONNECTION})")
