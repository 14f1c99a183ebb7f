"""What people add to post-incident reports."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_ISSUE = "EXISTS (SELECT 1 FROM issues WHERE issues.id = issue_id)"


def upgrade() -> None:
    op.create_table(
        "post_incident_additions",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_post_incident_additions_issue_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_incident_additions")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_post_incident_additions_issue_id"), "post_incident_additions", ["issue_id"], unique=False
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE post_incident_additions ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE post_incident_additions FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON post_incident_additions USING ({OURS} OR {OF_ITS_ISSUE})")
