"""Who changed a person last."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("people", sa.Column("changed_by", sa.Text(), nullable=True))
