"""Operations on incidents, and response targets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_SCOPE = "EXISTS (SELECT 1 FROM issues WHERE issues.id = issue_id)"


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expected", JSON, nullable=False),
        sa.Column("echoes", JSON, server_default="[]", nullable=False),
        sa.Column("agent", JSON, nullable=True),
        sa.Column("filed_at", UTC, nullable=False),
        sa.Column("accepted_at", UTC, nullable=True),
        sa.Column("sent_at", UTC, nullable=True),
        sa.Column("last_sent_at", UTC, nullable=True),
        sa.Column("answered_at", UTC, nullable=True),
        sa.Column("is_told", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["tool_calls.id"], name=op.f("fk_operations_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_index(
        op.f("ix_operations_issue_id_filed_at"), "operations", ["issue_id", "filed_at"], unique=False
    )
    op.add_column("timeline", sa.Column("author", sa.Text(), nullable=True))
    op.add_column("timeline", sa.Column("operation_id", sa.Text(), nullable=True))
    op.add_column("timeline", sa.Column("is_echo", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("connections", sa.Column("response_targets", JSON, nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE operations ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE operations FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON operations USING ({OURS} OR {OF_ITS_SCOPE})")
