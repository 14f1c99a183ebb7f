"""Connections, webhooks, the delivery log, issues with timelines and changes, keys, leases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("permissions", JSON, nullable=False),
        sa.Column("scopes", JSON, nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("expires_at", UTC, nullable=True),
        sa.Column("revoked_at", UTC, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), server_default="us", nullable=False),
        sa.Column("severities", JSON, server_default="{}", nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_index(op.f("ix_connections_scope"), "connections", ["scope"], unique=False)
    op.create_table(
        "dead_letters",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload_sha256", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint(
            "source", "subject", "payload_sha256", name=op.f("uq_dead_letters_source_subject_payload_sha256")
        ),
    )
    op.create_table(
        "key_checks",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_key_checks")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", UTC, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "refusals",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_refusals_webhook_id_at"), "refusals", ["webhook_id", "at"], unique=False)
    op.create_table(
        "issues",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("urgency", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("service_id", sa.Text(), nullable=True),
        sa.Column("service", JSON, nullable=True),
        sa.Column("escalation_policy", JSON, nullable=True),
        sa.Column("assignees", JSON, nullable=False),
        sa.Column("assigned_as_of", UTC, nullable=True),
        sa.Column("teams", JSON, nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("resolve_reason", sa.Text(), nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("updated_at", UTC, nullable=False),
        sa.Column("acknowledged_at", UTC, nullable=True),
        sa.Column("resolved_at", UTC, nullable=True),
        sa.Column("reopened_at", UTC, nullable=True),
        sa.Column("as_of", UTC, nullable=True),
        sa.Column("as_of_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_event_type", sa.Text(), nullable=True),
        sa.Column("last_event_at", UTC, nullable=True),
        sa.Column("needs_reconcile", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_issues_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issues")),
        sa.UniqueConstraint("connection_id", "incident_id", name=op.f("uq_issues_connection_id_incident_id")),
    )
    op.create_index(op.f("ix_issues_created_at_id"), "issues", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_issues_incident_id"), "issues", ["incident_id"], unique=False)
    op.create_index(op.f("ix_issues_scope_created_at"), "issues", ["scope", "created_at"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("armed_at", UTC, nullable=True),
        sa.Column("paused_at", UTC, nullable=True),
        sa.Column("deleted_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_webhooks_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_connection_id"), "webhooks", ["connection_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("seq", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("occurred_at", UTC, nullable=True),
        sa.Column("received_at", UTC, nullable=False),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("remarks", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("duplicates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("forwarded_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("webhook_id", "dedup_key", name=op.f("uq_deliveries_webhook_id_dedup_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_deliveries_incident_id_connection_id"),
        "deliveries",
        ["incident_id", "connection_id"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_unfinished",
        "deliveries",
        ["state", "seq"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'forwarded')"),
        postgresql_where=sa.text("state IN ('pending', 'forwarded')"),
    )
    op.create_table(
        "issue_changes",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("event_types", JSON, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_changes_issue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "timeline",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("occurred_at", UTC, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("actor", JSON, nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("moved", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_timeline_issue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
        sa.UniqueConstraint("issue_id", "event_id", name=op.f("uq_timeline_issue_id_event_id")),
    )
    op.create_index(
        op.f("ix_timeline_issue_id_occurred_at_seq"),
        "timeline",
        ["issue_id", "occurred_at", "seq"],
        unique=False,
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("expires_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_secrets_webhook_id")),
        sa.PrimaryKeyConstraint("webhook_id", "version", name=op.f("pk_webhook_secrets")),
    )
    op.create_table(
        "delivery_bodies",
        sa.Column("seq", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["deliveries.seq"], name=op.f("fk_delivery_bodies_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_delivery_bodies")),
    )
