"""Which snapshots to keep: all of the last day, daily ones for 90 days, and then monthly ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: From this age on, the last snapshot of each day (UTC) stays.
DAILY_AFTER = timedelta(days=1)
#: From this age on, the last snapshot of each month (UTC) stays.
MONTHLY_AFTER = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SnapshotAge:
    """A snapshot as far as its retention depends on it. A reading that never ended is not complete."""

    id: str
    connection_id: str
    taken_at: datetime
    is_complete: bool


def expired_snapshots(snapshots: Iterable[SnapshotAge], now: datetime) -> tuple[str, ...]:
    """Return the ids of the snapshots to delete at `now` (UTC), oldest first. Times are UTC.

    Unfinished ones go after a day. The newest snapshot of a connection always stays.
    """
    kept: dict[tuple[str, str], SnapshotAge] = {}
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot.taken_at, snapshot.id))
    for snapshot in ordered:
        if snapshot.is_complete:
            # A later snapshot of the same period takes the place of an earlier one.
            kept[snapshot.connection_id, _period(snapshot, now)] = snapshot
    newest = {snapshot.connection_id: snapshot.id for snapshot in ordered if snapshot.is_complete}
    stays = {snapshot.id for snapshot in kept.values()} | set(newest.values())
    return tuple(
        snapshot.id
        for snapshot in ordered
        if snapshot.id not in stays and now - snapshot.taken_at >= DAILY_AFTER
    )


def _period(snapshot: SnapshotAge, now: datetime) -> str:
    age = now - snapshot.taken_at
    if age < DAILY_AFTER:
        return snapshot.id
    return f"{snapshot.taken_at:%Y-%m}" if age >= MONTHLY_AFTER else f"{snapshot.taken_at:%Y-%m-%d}"
