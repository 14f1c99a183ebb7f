"""The versions of incidents' contexts, and the account cache."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_A_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
OF_A_CONTEXT = (
    "EXISTS (SELECT 1 FROM contexts"
    " WHERE contexts.issue_id = context_parts.issue_id AND contexts.version = context_parts.version)"
)
POLICIES = {
    **dict.fromkeys(
        ("contexts", "account_objects", "account_incidents", "account_changes", "account_reads"),
        OF_A_CONNECTION,
    ),
    "context_parts": OF_A_CONTEXT,
}


def upgrade() -> None:
    _contexts()
    _memory()
    op.add_column(
        "connections", sa.Column("context_note", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, of_its_scope in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {of_its_scope})")


def _contexts() -> None:
    op.create_table(
        "contexts",
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("begun_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("is_degraded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("document", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_contexts_connection_id")
        ),
        sa.PrimaryKeyConstraint("issue_id", "version", name=op.f("pk_contexts")),
    )
    op.create_index(
        op.f("ix_contexts_connection_id_begun_at"), "contexts", ["connection_id", "begun_at"], unique=False
    )
    op.create_index(op.f("ix_contexts_finished_at"), "contexts", ["finished_at"], unique=False)
    op.create_table(
        "context_parts",
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("fetched_at", UTC, nullable=True),
        sa.Column("data", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id", "version"],
            ["contexts.issue_id", "contexts.version"],
            name=op.f("fk_context_parts_issue_id_version"),
        ),
        sa.PrimaryKeyConstraint("issue_id", "version", "source", name=op.f("pk_context_parts")),
    )


def _memory() -> None:
    op.create_table(
        "account_objects",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("fetched_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_account_objects_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "kind", "id", name=op.f("pk_account_objects")),
    )
    op.create_table(
        "account_incidents",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("resolved_at", UTC, nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.Column("handling", JSON, nullable=True),
        sa.Column("changed_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_account_incidents_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "id", name=op.f("pk_account_incidents")),
    )
    op.create_index(
        op.f("ix_account_incidents_connection_id_created_at"),
        "account_incidents",
        ["connection_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_account_incidents_connection_id_changed_at"),
        "account_incidents",
        ["connection_id", "changed_at"],
        unique=False,
    )
    op.create_table(
        "account_changes",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("changed_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_account_changes_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "id", name=op.f("pk_account_changes")),
    )
    op.create_index(
        op.f("ix_account_changes_connection_id_at"),
        "account_changes",
        ["connection_id", "at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_account_changes_connection_id_changed_at"),
        "account_changes",
        ["connection_id", "changed_at"],
        unique=False,
    )
    op.create_table(
        "account_reads",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("until", UTC, nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("read_at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_account_reads_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "kind", name=op.f("pk_account_reads")),
    )
