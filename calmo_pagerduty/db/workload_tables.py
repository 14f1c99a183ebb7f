"""The tables of workload: what a connection configures of its reports, who is asked to cover, who is away."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: A draft that may change, and what is in force: documents (`workload.rules`), null if there is none.
workload_settings = Table(
    "workload_settings",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("draft", Json),
    Column("drafted_by", Text),
    Column("drafted_at", Utc),
    Column("published", Json),
    Column("published_by", Text),
    Column("published_at", Utc),
    #: Counts publications.
    Column("version", sa.Integer, nullable=False, server_default="0"),
)

#: Questions whether somebody would cover a time on call for somebody else. People are PagerDuty's ids.
cover_requests = Table(
    "cover_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("schedule_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    #: rough_night or asked.
    Column("reason", Text, nullable=False),
    #: What proves the reason: numbers and incident ids.
    Column("evidence", Json, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False),
    Column("starts_at", Utc, nullable=False),
    Column("ends_at", Utc, nullable=False),
    #: Who is eligible, the best first; who was asked so far, in order; who declined.
    Column("candidates", Json, nullable=False),
    Column("asked", Json, nullable=False),
    Column("declined", Json, nullable=False, server_default="[]"),
    Column("created_by", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("covering_user_id", Text),
    Column("decided_by", Text),
    Column("decided_at", Utc),
    #: The tool call that puts the person on call; it may wait for an approval.
    Column("call_id", Text),
    Index(None, "connection_id", "created_at"),
)

#: When people are away, by calendars that were imported: times only. People are PagerDuty's ids.
absence_calendars = Table(
    "absence_calendars",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    #: ics or csv.
    Column("format", Text, nullable=False),
    #: [start, end] in epoch seconds, disjoint and in order.
    Column("spans", Json, nullable=False),
    #: The time in which the calendar was followed.
    Column("known_since", Utc, nullable=False),
    Column("known_until", Utc, nullable=False),
    #: [reason, events] of what was left out.
    Column("skipped", Json, nullable=False),
    Column("imported_by", Text, nullable=False),
    Column("imported_at", Utc, nullable=False),
)
