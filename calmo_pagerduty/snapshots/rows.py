"""Translates between rows of snapshots and their models."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import account_snapshots
from calmo_pagerduty.snapshots.codec import SnapshotHead, sections_from_json


class SnapshotState(StrEnum):
    READING = "reading"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot's row. `progress` is how far its reading is, or when its parts were read. Times are UTC."""

    head: SnapshotHead
    state: SnapshotState
    finished_at: datetime | None
    requests: int
    progress: Mapping[str, Any] | None


SNAPSHOTS = sa.select(account_snapshots)


def snapshot_from_row(row: Any) -> StoredSnapshot:
    return StoredSnapshot(
        head=SnapshotHead(
            id=row.id,
            connection_id=row.connection_id,
            taken_at=int(row.taken_at.timestamp()),
            rendered_since=int(row.rendered_since.timestamp()),
            rendered_until=int(row.rendered_until.timestamp()),
            time_zone=row.time_zone,
            sections=sections_from_json(row.sections),
        ),
        state=SnapshotState(row.state),
        finished_at=row.finished_at,
        requests=row.requests,
        progress=row.progress,
    )


def instant(seconds: int) -> datetime:
    """Return the time (UTC) of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
