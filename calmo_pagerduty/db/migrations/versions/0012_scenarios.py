"""Saved what-if scenarios."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_A_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"


def upgrade() -> None:
    op.create_table(
        "scenarios",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("now", UTC, nullable=False),
        sa.Column("result_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_scenarios_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenarios")),
        sa.UniqueConstraint("connection_id", "name", name=op.f("uq_scenarios_connection_id_name")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE scenarios ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE scenarios FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON scenarios USING ({OURS} OR {OF_A_CONNECTION})")
