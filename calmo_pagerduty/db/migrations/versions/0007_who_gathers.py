"""Which run of which workflow gathers a version of a context: another one's was broken off."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("contexts", sa.Column("begun_by", sa.Text(), nullable=True))
