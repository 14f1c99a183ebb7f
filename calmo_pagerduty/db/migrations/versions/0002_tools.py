"""Connections' tokens and rules, tool calls, the audit, and the use of PagerDuty's rate limits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_scope_seq"), "audit", ["scope", "seq"], unique=False)
    op.create_table(
        "request_permits",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("paused_until", sa.Double(), nullable=False),
        sa.Column("minute_limit", sa.Integer(), nullable=True),
        sa.Column("minute_remaining", sa.Integer(), nullable=True),
        sa.Column("minute_seen_at", UTC, nullable=True),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("daily_remaining", sa.Integer(), nullable=True),
        sa.Column("daily_reset_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_request_permits_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_request_permits")),
    )
    op.create_table(
        "tool_calls",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("arguments_sha256", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UTC, nullable=True),
        sa.Column("approver", sa.Text(), nullable=True),
        sa.Column("decided_at", UTC, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_attempt_at", UTC, nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("finished_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_tool_calls_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool_calls")),
        sa.UniqueConstraint(
            "connection_id",
            "key_id",
            "idempotency_key",
            name=op.f("uq_tool_calls_connection_id_key_id_idempotency_key"),
        ),
    )
    op.create_index(
        op.f("ix_tool_calls_connection_id_tool_created_at"),
        "tool_calls",
        ["connection_id", "tool", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_tool_calls_state_created_at"), "tool_calls", ["state", "created_at"], unique=False
    )
    op.add_column("api_keys", sa.Column("person", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("teams", JSON, server_default="[]", nullable=False))
    op.add_column("connections", sa.Column("token_kind", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("token_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("connections", sa.Column("token_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("connections", sa.Column("from_address", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("rules", JSON, server_default="{}", nullable=False))
    op.add_column("connections", sa.Column("token_facts", JSON, nullable=True))
    op.add_column("connections", sa.Column("requests_per_minute", sa.Integer(), nullable=True))
    op.add_column("connections", sa.Column("removed_at", UTC, nullable=True))
