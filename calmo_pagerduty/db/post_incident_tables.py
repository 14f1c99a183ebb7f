"""The table of what people add to post-incident reports."""

from sqlalchemy import Column, ForeignKey, Index, Table

from calmo_pagerduty.db.schema import RowNumber, Text, Utc, metadata

post_incident_additions = Table(
    "post_incident_additions",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("issue_id", Text, ForeignKey("issues.id"), nullable=False),
    #: The part of the report that it belongs to.
    Column("part", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "issue_id"),
    sqlite_autoincrement=True,
)
