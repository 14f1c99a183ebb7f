"""The tables of tool calls."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from calmo_pagerduty.db.schema import Json, RowNumber, Text, Utc, metadata

#: Calls of tools that take their time: writes, and reads that PagerDuty made wait.
tool_calls = Table(
    "tool_calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("face", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("arguments_sha256", Text, nullable=False),
    #: What the caller repeats to mean the same call; our own id if none was given.
    Column("idempotency_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("needs_approval", sa.Boolean, nullable=False),
    #: Until when an approval may be given.
    Column("expires_at", Utc),
    Column("approver", Text),
    Column("decided_at", Utc),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    #: The first attempt of which it isn't known that it changed nothing.
    Column("first_attempt_at", Utc),
    Column("result", Json),
    Column("error", Json),
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
    UniqueConstraint("connection_id", "key_id", "idempotency_key"),
    Index(None, "connection_id", "tool", "created_at"),
    Index(None, "state", "created_at"),
)

#: Every call of a tool, in a chain: each row's hash covers its record and the hash before it.
audit = Table(
    "audit",
    metadata,
    Column("seq", RowNumber, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("scope", Text, nullable=False),
    #: Canonical JSON, exactly as it was hashed.
    Column("record", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "scope", "seq"),
)

#: How much of PagerDuty's limits each connection has used, shared by all processes.
request_permits = Table(
    "request_permits",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    #: Seconds since 1970: when the next request is due at our rate, and until when none is allowed.
    Column("due_at", sa.Double, nullable=False),
    Column("paused_until", sa.Double, nullable=False),
    #: PagerDuty's own figures from its last answer.
    Column("minute_limit", sa.Integer),
    Column("minute_remaining", sa.Integer),
    Column("minute_seen_at", Utc),
    Column("daily_limit", sa.Integer),
    Column("daily_remaining", sa.Integer),
    Column("daily_reset_at", Utc),
)
