"""The table of operations: actions of people and agents on incidents."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, false

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

operations = Table(
    "operations",
    metadata,
    #: The id of the tool call that carries it out and holds its arguments and result.
    Column("id", Text, ForeignKey("tool_calls.id"), primary_key=True),
    Column("issue_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("state", Text, nullable=False),
    #: The events that we expect (`incidents.actions.ExpectedEvent`), and the own events that came.
    Column("expected", Json, nullable=False),
    Column("echoes", Json, nullable=False, server_default="[]"),
    #: The acting user: PagerDuty's user for our writes.
    Column("agent", Json),
    #: What the action replaces (`incidents.actions.FormerValues`); null if it can't be undone.
    Column("former", Json),
    Column("filed_at", Utc, nullable=False),
    Column("accepted_at", Utc),
    Column("sent_at", Utc),
    Column("last_sent_at", Utc),
    Column("answered_at", Utc),
    #: True if the timeline has its entry.
    Column("is_told", Boolean, nullable=False, server_default=false()),
    Index(None, "issue_id", "filed_at"),
)
