"""The tables of incidents' contexts and of the account cache."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: One row per version. No foreign key to issues: a context may start before the first event is saved.
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
    #: The workflow run that gathers it.
    Column("begun_by", Text),
    Column("finished_at", Utc),
    Column("requests", sa.Integer, nullable=False, server_default="0"),
    Column("is_degraded", sa.Boolean, nullable=False, server_default=sa.false()),
    #: `contexts.model.IncidentContext`, once it is complete.
    Column("document", Json),
    Index(None, "connection_id", "begun_at"),
    Index(None, "finished_at"),
)

#: The compact result of each source. Deleted with later versions; the document stays.
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

#: Cached objects that change seldom: services, people, priorities, direct dependencies.
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
    #: The other fields of PagerDuty's list of incidents.
    Column("data", Json, nullable=False),
    #: Who responded and how it ended, once its log entries were read.
    Column("handling", Json),
    #: When the row was last written: workers update their memory from here.
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

#: The period that was read of each kind. If `is_whole` is false, PagerDuty has more before `since`.
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
