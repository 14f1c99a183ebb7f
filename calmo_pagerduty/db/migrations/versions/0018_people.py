"""People who sign in through an OpenID provider, and sign-ins that are on their way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scopes", JSON, nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("is_set", sa.Boolean(), nullable=False),
        sa.Column("is_kept_out", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("changed_at", UTC, nullable=False),
        sa.Column("signed_in_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_people_key_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_people")),
    )
    op.create_table(
        "sign_in_flows",
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("expires_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_sign_in_flows")),
    )
    op.create_index(op.f("ix_people_key_id"), "people", ["key_id"], unique=False)
    op.create_index(op.f("ix_sign_in_flows_expires_at"), "sign_in_flows", ["expires_at"], unique=False)
