"""Account snapshots, which on-call analyses rest on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_A_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
TABLES = ("account_snapshots", "snapshot_blobs", "snapshot_parts")


def upgrade() -> None:
    op.create_table(
        "account_snapshots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.Column("rendered_since", UTC, nullable=False),
        sa.Column("rendered_until", UTC, nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("sections", JSON, server_default="[]", nullable=False),
        sa.Column("progress", JSON, nullable=True),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_account_snapshots_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_snapshots")),
    )
    op.create_index(
        op.f("ix_account_snapshots_connection_id_taken_at"),
        "account_snapshots",
        ["connection_id", "taken_at"],
        unique=False,
    )
    op.create_table(
        "snapshot_blobs",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_snapshot_blobs_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "digest", name=op.f("pk_snapshot_blobs")),
    )
    op.create_table(
        "snapshot_parts",
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("chunk", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["account_snapshots.id"], name=op.f("fk_snapshot_parts_snapshot_id")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id", "digest"],
            ["snapshot_blobs.connection_id", "snapshot_blobs.digest"],
            name=op.f("fk_snapshot_parts_connection_id_digest"),
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "section", "chunk", name=op.f("pk_snapshot_parts")),
    )
    op.create_index(
        op.f("ix_snapshot_parts_connection_id_digest"),
        "snapshot_parts",
        ["connection_id", "digest"],
        unique=False,
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {OF_A_CONNECTION})")
