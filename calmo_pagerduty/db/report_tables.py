"""The tables of kept reports, and of where and how they are delivered."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table

from calmo_pagerduty.db.schema import RowNumber, Text, Utc, metadata

kept_reports = Table(
    "kept_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("author", Text, nullable=False),
    #: JSON of `reports.rendering.report_document`.
    Column("document", Text, nullable=False),
    Index(None, "connection_id", "made_at"),
)

#: Where an administrator has reports of a connection sent.
report_addresses = Table(
    "report_addresses",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("url", Text, nullable=False),
    #: The secret that signs, sealed to this row.
    Column("sealed", sa.LargeBinary, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Utc, nullable=False),
)

#: Each attempt to deliver a report.
report_deliveries = Table(
    "report_deliveries",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("report_id", Text, ForeignKey("kept_reports.id"), nullable=False),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("attempt", sa.Integer, nullable=False),
    Column("at", Utc, nullable=False),
    #: delivered, retry or failed.
    Column("outcome", Text, nullable=False),
    #: The HTTP status; None if there was no answer.
    Column("status", sa.Integer),
    #: Why it failed, in our words; never what the receiver said.
    Column("reason", Text, nullable=False),
    Index(None, "report_id"),
    Index(None, "connection_id", "at"),
    sqlite_autoincrement=True,
)
