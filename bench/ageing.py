"""Make a stored snapshot older, so that the next one is taken as if it were a day later."""

from dataclasses import replace
from datetime import timedelta

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.snapshots import store
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule
from calmo_pagerduty.snapshots.reading import ReadTimes


def make_older(database: Database, snapshot: AccountSnapshot, age: timedelta) -> AccountSnapshot:
    """Replace a stored snapshot by the one that would have been taken so much earlier, and return it.

    What happened since is not in it. The account's configuration was the same.
    """
    seconds = int(age.total_seconds())
    aged = _aged(snapshot, seconds)

    def write(tx: Transaction) -> None:
        stored = store.get_snapshot(tx, snapshot.id)
        assert stored is not None
        times = ReadTimes.model_validate((stored.progress or {}).get("times") or {})
        earlier = {name: value - seconds for name, value in times if type(value) is int}
        store.delete_snapshots(tx, [snapshot.id])
        store.insert_whole_snapshot(tx, aged)
        moved = times.model_copy(update=earlier)
        store.update_progress(tx, aged.id, {"times": moved.model_dump(mode="json")}, stored.requests)

    database.write_blocking(write)
    return aged


def _aged(snapshot: AccountSnapshot, seconds: int) -> AccountSnapshot:
    taken_at, until = snapshot.taken_at - seconds, snapshot.rendered_until - seconds
    sections = (replace(section, fetched_at=section.fetched_at - seconds) for section in snapshot.sections)
    return replace(
        snapshot,
        taken_at=taken_at,
        # Earlier entries aren't known: the window is shorter by that.
        rendered_until=until,
        sections=tuple(sections),
        schedules=tuple(_schedule(schedule, snapshot, seconds) for schedule in snapshot.schedules),
        incidents=tuple(incident for incident in snapshot.incidents if incident.created_at <= taken_at),
        log_records=tuple(record for record in snapshot.log_records if record.at <= taken_at),
    )


def _schedule(schedule: Schedule, snapshot: AccountSnapshot, seconds: int) -> Schedule:
    """Return the schedule as it was rendered, which is earlier only at the end of the window."""
    until = snapshot.rendered_until - seconds
    entries = [
        replace(entry, end=min(entry.end, until)) for entry in schedule.entries or () if entry.start < until
    ]
    return replace(
        schedule,
        entries=None if schedule.entries is None else tuple(entries),
        overrides=tuple(override for override in schedule.overrides if override.start < until),
        read_at=None if schedule.read_at is None else schedule.read_at - seconds,
    )
