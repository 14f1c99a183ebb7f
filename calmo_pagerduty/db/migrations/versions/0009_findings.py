"""Findings of analyses with their history, and issues that a finding opened."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_ITS_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
#: By table: the condition that a row belongs to a visible scope.
POLICIES = {
    "analysis_results": OF_ITS_CONNECTION,
    "findings": OF_ITS_CONNECTION,
    "finding_events": "EXISTS (SELECT 1 FROM findings WHERE findings.id = finding_id)",
}


def upgrade() -> None:
    _create_results()
    _create_findings()
    _create_events()
    op.add_column("issues", sa.Column("origin", sa.Text(), server_default="incident", nullable=False))
    op.add_column("issues", sa.Column("finding_id", sa.BigInteger(), nullable=True))
    op.add_column("issues", sa.Column("expected_dropped", sa.Float(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table, of_its_scope in POLICIES.items():
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {of_its_scope})")


def _create_results() -> None:
    op.create_table(
        "analysis_results",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("analysis", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("recorded_at", UTC, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_analysis_results_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis_results")),
        sa.UniqueConstraint(
            "connection_id",
            "analysis",
            "at",
            "digest",
            name=op.f("uq_analysis_results_connection_id_analysis_at_digest"),
        ),
        sqlite_autoincrement=True,
    )


def _create_findings() -> None:
    op.create_table(
        "findings",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("analysis", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("severity_rank", sa.Integer(), nullable=False),
        sa.Column("expected_dropped", sa.Float(), nullable=False),
        sa.Column("entity_ids", sa.Text(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("is_present", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", UTC, nullable=False),
        sa.Column("last_seen_at", UTC, nullable=False),
        sa.Column("changed_at", UTC, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_severity", sa.Text(), nullable=True),
        sa.Column("issue_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_findings_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint(
            "connection_id",
            "analysis",
            "code",
            "key",
            name=op.f("uq_findings_connection_id_analysis_code_key"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_findings_severity_rank_expected_dropped_id"),
        "findings",
        ["severity_rank", "expected_dropped", "id"],
        unique=False,
    )


def _create_events() -> None:
    op.create_table(
        "finding_events",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("finding_id", ROW_NUMBER, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("result_id", ROW_NUMBER, nullable=True),
        sa.Column("evidence", JSON, server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_finding_events_finding_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_finding_events_finding_id_id"), "finding_events", ["finding_id", "id"], unique=False
    )
    op.create_index(op.f("ix_finding_events_at"), "finding_events", ["at"], unique=False)
