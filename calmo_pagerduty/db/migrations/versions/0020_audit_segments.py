"""Sealed segments: what was cut off the audit chain, in one row for each run of rows."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_segments",
        sa.Column("first_seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("last_seq", NUMBER, nullable=False),
        sa.Column("first_at", UTC, nullable=False),
        sa.Column("last_at", UTC, nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("last_hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("first_seq", name=op.f("pk_audit_segments")),
    )
