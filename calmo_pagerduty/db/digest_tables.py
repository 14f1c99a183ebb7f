"""The table of weekly digests."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Table, UniqueConstraint

from calmo_pagerduty.db.schema import RowNumber, Text, Utc, metadata

oncall_digests = Table(
    "oncall_digests",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("made_at", Utc, nullable=False),
    #: Nothing was wrong.
    Column("is_silent", sa.Boolean, nullable=False),
    #: JSON of `oncall.digest.Digest`, as it was at `until`.
    Column("document", Text, nullable=False),
    # A workflow that tries again makes no second digest.
    UniqueConstraint("connection_id", "until"),
    sqlite_autoincrement=True,
)
