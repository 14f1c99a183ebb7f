"""The table of what people and agents did to incidents from here."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, false

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

operations = Table(
    "operations",
    metadata,
    #: The id of the tool call that carries it out, where its arguments and its result are.
    Column("id", Text, ForeignKey("tool_calls.id"), primary_key=True),
    Column("issue_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("state", Text, nullable=False),
    #: What PagerDuty will tell of it (`domain.operations.Expectation`), and what it has told.
    Column("expected", Json, nullable=False),
    Column("echoes", Json, nullable=False, server_default="[]"),
    #: As whom PagerDuty knows us.
    Column("agent", Json),
    Column("filed_at", Utc, nullable=False),
    Column("accepted_at", Utc),
    Column("sent_at", Utc),
    Column("last_sent_at", Utc),
    Column("answered_at", Utc),
    #: Whether the timeline has its entry.
    Column("is_told", Boolean, nullable=False, server_default=false()),
    Index(None, "issue_id", "filed_at"),
)
