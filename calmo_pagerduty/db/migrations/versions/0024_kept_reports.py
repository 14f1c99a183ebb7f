"""Kept reports, where they are sent, and each attempt to deliver them."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
TABLES = ("kept_reports", "report_addresses", "report_deliveries")


def upgrade() -> None:
    op.create_table(
        "kept_reports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("until", UTC, nullable=False),
        sa.Column("made_at", UTC, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_kept_reports_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_reports")),
    )
    op.create_index(
        op.f("ix_kept_reports_connection_id_made_at"), "kept_reports", ["connection_id", "made_at"]
    )
    op.create_table(
        "report_addresses",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_report_addresses_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_report_addresses")),
    )
    op.create_table(
        "report_deliveries",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["kept_reports.id"], name=op.f("fk_report_deliveries_report_id")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_report_deliveries_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_deliveries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_report_deliveries_report_id"), "report_deliveries", ["report_id"])
    op.create_index(
        op.f("ix_report_deliveries_connection_id_at"), "report_deliveries", ["connection_id", "at"]
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {OF_ITS_CONNECTION})")
