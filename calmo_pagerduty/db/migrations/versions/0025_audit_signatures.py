"""Signatures of the audit's rows. Rows and segments from before have none."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("audit", sa.Column("signature", sa.Text(), nullable=True))
    op.add_column("audit_segments", sa.Column("signed_since", sa.DateTime(timezone=True), nullable=True))
