"""API keys: who made each, whose it is, its last use, and when an agent read texts from outside with it."""

import base64
import hashlib
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("owner", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "api_keys", sa.Column("is_service", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("api_keys", sa.Column("last_used_at", UTC, nullable=True))
    op.add_column("api_keys", sa.Column("untrusted_read_at", UTC, nullable=True))
    op.create_index(op.f("ix_api_keys_created_by"), "api_keys", ["created_by"], unique=False)
    op.create_index(op.f("ix_api_keys_owner"), "api_keys", ["owner"], unique=False)
    _fill_in()


def _fill_in() -> None:
    keys = sa.table(
        "api_keys",
        sa.column("id", sa.Text),
        sa.column("name", sa.Text),
        sa.column("scopes", sa.JSON),
        sa.column("person", sa.Text),
        sa.column("owner", sa.Text),
        sa.column("is_service", sa.Boolean),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(keys.c.id, keys.c.name, keys.c.scopes, keys.c.person)).all():
        owner = f"person:{_identity(row.person)}" if row.person else f"key:{row.id}"
        is_service = len(row.scopes or ()) == 1 and row.id == _service_key_id(row.name, row.scopes[0])
        connection.execute(
            sa.update(keys).where(keys.c.id == row.id).values(owner=owner, is_service=is_service)
        )


def _identity(person: str) -> str:
    """Return the person's name without what doesn't count, as `access.persons` did when this was written."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", person).casefold()).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _service_key_id(purpose: str, scope: str) -> str:
    """Return the id that the service gives its own key of this purpose and scope."""
    digest = hashlib.sha256(f"{purpose}\n{scope}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()
