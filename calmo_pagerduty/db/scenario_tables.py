"""The table of saved what-if scenarios."""

from sqlalchemy import Column, ForeignKey, Table, UniqueConstraint

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: A scenario with what it was asked of: the same snapshot and `now` give the same answer again.
scenarios = Table(
    "scenarios",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("name", Text, nullable=False),
    #: The changes and the window (`scheduling.scenarios.Scenario`).
    Column("document", Json, nullable=False),
    Column("snapshot_id", Text, nullable=False),
    Column("now", Utc, nullable=False),
    #: The SHA-256 of the whole answer, as canonical JSON.
    Column("result_sha256", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("connection_id", "name"),
)
