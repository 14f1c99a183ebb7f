"""Weekly digests of the on-call analyses."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"


def upgrade() -> None:
    op.create_table(
        "oncall_digests",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("until", UTC, nullable=False),
        sa.Column("made_at", UTC, nullable=False),
        sa.Column("is_silent", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_oncall_digests_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oncall_digests")),
        sa.UniqueConstraint("connection_id", "until", name=op.f("uq_oncall_digests_connection_id_until")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE oncall_digests ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE oncall_digests FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON oncall_digests USING ({OURS} OR {OF_ITS_CONNECTION})")
