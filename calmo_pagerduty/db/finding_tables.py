"""The tables of findings: what analyses said, what is wrong, and what became of it."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from calmo_pagerduty.db.schema import Json, RowNumber, Text, Utc, metadata

#: Results of analyses, whole. `digest` is the SHA-256 of `document`, which is canonical JSON.
analysis_results = Table(
    "analysis_results",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("analysis", Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("snapshot_id", Text, nullable=False),
    #: The `now` of the analysis.
    Column("at", Utc, nullable=False),
    Column("recorded_at", Utc, nullable=False),
    Column("digest", Text, nullable=False),
    #: As text, so that it stays the same byte by byte.
    Column("document", Text, nullable=False),
    UniqueConstraint("connection_id", "analysis", "at", "digest"),
    sqlite_autoincrement=True,
)

findings = Table(
    "findings",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("analysis", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    #: The severity's place, 0 for the worst: lists are ordered by it.
    Column("severity_rank", sa.Integer, nullable=False),
    #: -1 if it is not known or makes no sense for this finding.
    Column("expected_dropped", sa.Float, nullable=False),
    #: `|ID|ID|`, for the filter by entity.
    Column("entity_ids", Text, nullable=False),
    #: The newest finding (`findings.model.Finding`).
    Column("document", Json, nullable=False),
    #: Whether the newest conclusive result had it. A dismissed finding may be gone and stays dismissed.
    Column("is_present", sa.Boolean, nullable=False),
    Column("first_seen_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    #: Who accepted or dismissed it, and why.
    Column("decided_by", Text),
    Column("reason", Text),
    #: Its severity then: a dismissed finding that gets worse than that returns.
    Column("decided_severity", Text),
    Column("issue_id", Text),
    UniqueConstraint("connection_id", "analysis", "code", "key"),
    Index(None, "severity_rank", "expected_dropped", "id"),
    sqlite_autoincrement=True,
)

#: What happened to findings, in the order of `id`.
finding_events = Table(
    "finding_events",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("finding_id", RowNumber, ForeignKey("findings.id"), nullable=False),
    Column("at", Utc, nullable=False),
    Column("kind", Text, nullable=False),
    #: State and severity afterwards.
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    #: The person; null if an analysis did it.
    Column("author", Text),
    Column("reason", Text),
    #: The result that it comes from, and the evidence at that time.
    Column("result_id", RowNumber),
    Column("evidence", Json, nullable=False, server_default="[]"),
    Index(None, "finding_id", "id"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)
