"""The tables of escalation drills."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: Services on which drills may be held. A person named each; that person's key holds scheduled drills.
drill_services = Table(
    "drill_services",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("service_id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("named_at", Utc, nullable=False),
    #: A drill is held every so many days; null: on demand only.
    Column("every_days", sa.Integer),
)

escalation_drills = Table(
    "escalation_drills",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("service_id", Text, nullable=False),
    #: Whose rights the drill has.
    Column("key_id", Text, nullable=False),
    #: `escalation.drill.DrillState`
    Column("state", Text, nullable=False),
    #: The key by which the incident's events are recognised.
    Column("incident_key", Text, nullable=False),
    Column("incident_id", Text),
    Column("watch_seconds", sa.Integer, nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("opened_at", Utc),
    #: The incident must be resolved by then.
    Column("deadline_at", Utc),
    Column("escalated_at", Utc),
    Column("acknowledged_at", Utc),
    Column("finished_at", Utc),
    #: What was seen and what differed (`escalation.drill.report_document`), or why it was refused.
    Column("report", Json),
    UniqueConstraint("incident_key"),
    Index(None, "connection_id", "asked_at"),
    Index(None, "connection_id", "incident_id"),
)
