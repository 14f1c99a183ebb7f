"""Which session at the provider a session belongs to, and logout tokens that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("dashboard_sessions", sa.Column("provider_session_sha256", sa.Text(), nullable=True))
    op.create_index(
        op.f("ix_dashboard_sessions_provider_session_sha256"),
        "dashboard_sessions",
        ["provider_session_sha256"],
        unique=False,
    )
    op.create_table(
        "logout_tokens",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("expires_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_logout_tokens")),
    )
    op.create_index(op.f("ix_logout_tokens_expires_at"), "logout_tokens", ["expires_at"], unique=False)
