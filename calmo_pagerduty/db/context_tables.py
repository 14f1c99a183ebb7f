"""The tables of incidents' contexts, and of what is remembered of an account between them."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: One row per version. An incident may be gathered before its first event is saved: no issue is needed.
contexts = Table(
    "contexts",
    metadata,
    Column("issue_id", Text, primary_key=True),
    Column("version", sa.Integer, primary_key=True, autoincrement=False),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("incident_id", Text, nullable=False),
    #: gathering, complete or failed.
    Column("state", Text, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("begun_at", Utc, nullable=False),
    #: Which run of which workflow gathers it.
    Column("begun_by", Text),
    Column("finished_at", Utc),
    Column("requests", sa.Integer, nullable=False, server_default="0"),
    Column("is_degraded", sa.Boolean, nullable=False, server_default=sa.false()),
    #: `domain.incident_context.IncidentContext`, once it is complete.
    Column("document", Json),
    Index(None, "connection_id", "begun_at"),
    Index(None, "finished_at"),
)

#: What each source brought, compact. Dropped with the next versions: the document stays.
context_parts = Table(
    "context_parts",
    metadata,
    Column("issue_id", Text, primary_key=True),
    Column("version", sa.Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("count", sa.Integer, nullable=False, server_default="0"),
    Column("requests", sa.Integer, nullable=False, server_default="0"),
    Column("seconds", sa.Double, nullable=False, server_default="0"),
    Column("fetched_at", Utc),
    Column("data", Json),
    ForeignKeyConstraint(["issue_id", "version"], ["contexts.issue_id", "contexts.version"]),
)

#: What changes seldom and many contexts need: services, people, priorities, one hop of dependencies.
account_objects = Table(
    "account_objects",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("data", Json, nullable=False),
    Column("fetched_at", Utc, nullable=False),
)

account_incidents = Table(
    "account_incidents",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("service_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("resolved_at", Utc),
    #: All else that a list of incidents tells.
    Column("data", Json, nullable=False),
    #: Who responded and how it ended, once its own log was read.
    Column("handling", Json),
    #: When it was written here last: what worker processes have in memory goes on from there.
    Column("changed_at", Utc, nullable=False),
    Index(None, "connection_id", "created_at"),
    Index(None, "connection_id", "changed_at"),
)

account_changes = Table(
    "account_changes",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("data", Json, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Index(None, "connection_id", "at"),
    Index(None, "connection_id", "changed_at"),
)

#: Which time of each kind was read; `is_whole` False: it goes on further back than `since`.
account_reads = Table(
    "account_reads",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("is_whole", sa.Boolean, nullable=False),
    Column("read_at", Utc, nullable=False),
)
