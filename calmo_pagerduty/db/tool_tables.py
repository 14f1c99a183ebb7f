"""The tables of tool calls and of the audit."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from calmo_pagerduty.db.schema import Json, RowNumber, Text, Utc, metadata

#: What old calls lose. An index holds just those that still have it, so that finding them stays cheap.
CALL_HAS_CONTENTS = sa.text("(result IS NOT NULL OR CAST(arguments AS TEXT) <> '{}')")

#: Tool calls that run as workflows: writes, and reads that PagerDuty makes wait.
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
    #: A caller that repeats this key means the same call. Our own id if the caller gave none.
    Column("idempotency_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("needs_approval", sa.Boolean, nullable=False),
    #: An approval may be given until this time.
    Column("expires_at", Utc),
    Column("approver", Text),
    Column("decided_at", Utc),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    #: Start of the first attempt that may have had an effect.
    Column("first_attempt_at", Utc),
    Column("result", Json),
    Column("error", Json),
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
    UniqueConstraint("connection_id", "key_id", "idempotency_key"),
    Index(None, "connection_id", "tool", "created_at"),
    Index(None, "state", "created_at"),
    Index(None, "finished_at", sqlite_where=CALL_HAS_CONTENTS, postgresql_where=CALL_HAS_CONTENTS),
)

#: The audit chain: each row's hash covers its record and the previous row's hash.
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
    #: Over number and hash, with a key that is not in the database. NULL: from before there were signatures.
    Column("signature", Text),
    Index(None, "scope", "seq"),
)

#: Rows of the audit chain that retention has cut off: one row for each sealed run of them.
audit_segments = Table(
    "audit_segments",
    metadata,
    Column("first_seq", RowNumber, primary_key=True, autoincrement=False),
    Column("last_seq", RowNumber, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    #: The hash before its first row, and that of its last row: the next row or segment goes on from there.
    Column("previous_hash", Text, nullable=False),
    Column("last_hash", Text, nullable=False),
    #: The time of the first signed row of the chain so far; NULL if none was.
    Column("signed_since", Utc),
    #: The digest of all the other columns, sealed with the master key: nobody without it can make a segment.
    Column("sealed", sa.LargeBinary, nullable=False),
    Column("sealed_at", Utc, nullable=False),
)

#: Each connection's use of PagerDuty's rate limits, shared by all processes.
request_permits = Table(
    "request_permits",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    #: Seconds since 1970: when the next request is due at our rate, and the end of a pause.
    Column("due_at", sa.Double, nullable=False),
    Column("paused_until", sa.Double, nullable=False),
    #: PagerDuty's figures from its last answer.
    Column("minute_limit", sa.Integer),
    Column("minute_remaining", sa.Integer),
    Column("minute_seen_at", Utc),
    Column("daily_limit", sa.Integer),
    Column("daily_remaining", sa.Integer),
    Column("daily_reset_at", Utc),
)

#: When the next request of some kind of background work is due, of all processes together.
request_paces = Table(
    "request_paces",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("pace", Text, primary_key=True),
    #: Seconds since 1970.
    Column("due_at", sa.Double, nullable=False),
)
