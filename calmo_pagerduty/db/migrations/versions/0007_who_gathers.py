"""The workflow run that gathers a context's version: a version of another run was interrupted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("contexts", sa.Column("begun_by", sa.Text(), nullable=True))
