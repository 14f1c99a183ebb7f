"""Webhooks' subscriptions and findings, deliveries' progress, and reconciliations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("until", UTC, nullable=False),
        sa.Column("begun_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.Column("report", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_reconciliations_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_reconciliations_connection_id_id"), "reconciliations", ["connection_id", "id"], unique=False
    )
    op.add_column("connections", sa.Column("reconciled_until", UTC, nullable=True))
    op.add_column("dead_letters", sa.Column("handled_at", UTC, nullable=True))
    op.add_column("deliveries", sa.Column("applied_at", UTC, nullable=True))
    op.add_column("deliveries", sa.Column("replays", sa.Integer(), server_default="0", nullable=False))
    op.add_column("webhooks", sa.Column("name", sa.Text(), server_default="", nullable=False))
    op.add_column("webhooks", sa.Column("event_set", sa.Text(), server_default="advanced", nullable=False))
    op.add_column("webhooks", sa.Column("service_ids", JSON, server_default="[]", nullable=False))
    op.add_column("webhooks", sa.Column("team_ids", JSON, server_default="[]", nullable=False))
    op.add_column("webhooks", sa.Column("subscription_id", sa.Text(), nullable=True))
    op.add_column("webhooks", sa.Column("managed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("webhooks", sa.Column("disabled_at", UTC, nullable=True))
    op.add_column("webhooks", sa.Column("findings", JSON, server_default="[]", nullable=False))
    op.add_column("webhooks", sa.Column("examined_at", UTC, nullable=True))
