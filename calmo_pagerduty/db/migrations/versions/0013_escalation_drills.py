"""Escalation drills, and the services on which they may be held."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)

OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"
OF_A_CONNECTION = "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)"
TABLES = ("drill_services", "escalation_drills")


def upgrade() -> None:
    op.create_table(
        "drill_services",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("named_at", UTC, nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_drill_services_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "service_id", name=op.f("pk_drill_services")),
    )
    op.create_table(
        "escalation_drills",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("incident_key", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("watch_seconds", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTC, nullable=False),
        sa.Column("opened_at", UTC, nullable=True),
        sa.Column("deadline_at", UTC, nullable=True),
        sa.Column("escalated_at", UTC, nullable=True),
        sa.Column("acknowledged_at", UTC, nullable=True),
        sa.Column("finished_at", UTC, nullable=True),
        sa.Column("report", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_escalation_drills_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_drills")),
        sa.UniqueConstraint("incident_key", name=op.f("uq_escalation_drills_incident_key")),
    )
    for column in ("asked_at", "incident_id"):
        op.create_index(
            op.f(f"ix_escalation_drills_connection_id_{column}"),
            "escalation_drills",
            ["connection_id", column],
            unique=False,
        )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {OF_A_CONNECTION})")
