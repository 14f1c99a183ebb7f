"""Paces that all processes share, an index of what calls still hold, and which programs a schema needs."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

HAS_CONTENTS = "(result IS NOT NULL OR CAST(arguments AS TEXT) <> '{}')"


def upgrade() -> None:
    op.create_table(
        "request_paces",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("pace", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_request_paces_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "pace", name=op.f("pk_request_paces")),
    )
    op.create_table(
        "schema_floor",
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_schema_floor")),
    )
    op.create_index(
        op.f("ix_tool_calls_finished_at"),
        "tool_calls",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text(HAS_CONTENTS),
        postgresql_where=sa.text(HAS_CONTENTS),
    )
