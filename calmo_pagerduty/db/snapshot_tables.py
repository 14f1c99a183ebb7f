"""The tables of account snapshots, and of the runs that take and analyse them."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

account_snapshots = Table(
    "account_snapshots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    #: reading or complete.
    Column("state", Text, nullable=False),
    #: The time that the snapshot shows: when its reading began.
    Column("taken_at", Utc, nullable=False),
    Column("finished_at", Utc),
    #: The time for which schedules are rendered.
    Column("rendered_since", Utc, nullable=False),
    Column("rendered_until", Utc, nullable=False),
    Column("time_zone", Text),
    #: How each section was read (`snapshots.model.Section`).
    Column("sections", Json, nullable=False, server_default="[]"),
    #: How far the reading is (`snapshots.reading.ReadingProgress`); then only when its parts were read.
    Column("progress", Json),
    Column("requests", sa.Integer, nullable=False, server_default="0"),
    Index(None, "connection_id", "taken_at"),
)

#: Compressed JSON by its digest: what does not change between snapshots is stored once.
snapshot_blobs = Table(
    "snapshot_blobs",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("data", sa.LargeBinary, nullable=False),
)

#: What a snapshot consists of: a section has one chunk, or one per month.
snapshot_parts = Table(
    "snapshot_parts",
    metadata,
    Column("snapshot_id", Text, ForeignKey("account_snapshots.id"), primary_key=True),
    Column("section", Text, primary_key=True),
    Column("chunk", Text, primary_key=True),
    Column("connection_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    ForeignKeyConstraint(
        ["connection_id", "digest"], ["snapshot_blobs.connection_id", "snapshot_blobs.digest"]
    ),
    Index(None, "connection_id", "digest"),
)

#: Runs of the on-call analyses.
oncall_runs = Table(
    "oncall_runs",
    metadata,
    #: The id of the workflow's run.
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("reason", Text, nullable=False),
    #: reading, analysing, complete or failed.
    Column("state", Text, nullable=False),
    Column("begun_at", Utc, nullable=False),
    Column("finished_at", Utc),
    #: The time of the snapshot that was asked for; null: a new snapshot.
    Column("as_of", Utc),
    #: The time that analyses take for the present.
    Column("now", Utc),
    Column("snapshot_id", Text),
    #: What the run carries out, by name.
    Column("analyses", Json, nullable=False, server_default="[]"),
    #: How each analysis ended (`oncall.model.AnalysisOutcome`).
    Column("outcomes", Json, nullable=False, server_default="[]"),
    Column("problem", Text, nullable=False, server_default=""),
    Index(None, "connection_id", "begun_at"),
)
