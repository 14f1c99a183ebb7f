"""Settings of workload reports, and requests for cover."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
TABLES = ("workload_settings", "cover_requests")


def upgrade() -> None:
    op.create_table(
        "workload_settings",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("draft", JSON, nullable=True),
        sa.Column("drafted_by", sa.Text(), nullable=True),
        sa.Column("drafted_at", UTC, nullable=True),
        sa.Column("published", JSON, nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", UTC, nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_workload_settings_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_workload_settings")),
    )
    _create_cover_requests()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {OF_ITS_CONNECTION})")


def _create_cover_requests() -> None:
    op.create_table(
        "cover_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", JSON, server_default="{}", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", UTC, nullable=False),
        sa.Column("ends_at", UTC, nullable=False),
        sa.Column("candidates", JSON, nullable=False),
        sa.Column("asked", JSON, nullable=False),
        sa.Column("declined", JSON, server_default="[]", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("expires_at", UTC, nullable=False),
        sa.Column("covering_user_id", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UTC, nullable=True),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_cover_requests_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cover_requests")),
    )
    op.create_index(
        op.f("ix_cover_requests_connection_id_created_at"),
        "cover_requests",
        ["connection_id", "created_at"],
        unique=False,
    )
