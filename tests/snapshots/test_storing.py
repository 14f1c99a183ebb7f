"""A stored snapshot is read back as it was, by whoever may see it, and shares what did not change."""

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from calmo_pagerduty.snapshots import store
from calmo_pagerduty.snapshots.codec import FORMS, decode_chunk, encode_section, encode_snapshot
from calmo_pagerduty.snapshots.model import SectionName
from calmo_pagerduty.snapshots.retention_rules import SnapshotAge, expired_snapshots
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
from tests.support.builders import NOON
from tests.support.doors import ACME, rows
from tests.support.retention import a_sweeper
from tests.support.snapshots import (
    days_later,
    empty_snapshot,
    small_snapshot,
    store_snapshot,
    store_snapshot_of,
    taken,
)

DAY = timedelta(days=1)
OURS = Visibility((Scope.parse(ACME),))
THEIRS = Visibility((Scope.parse("organization:bank"),))


@pytest.mark.each_database
async def test_a_snapshot_is_read_back_as_it_was_stored(database: Database) -> None:
    stored = store_snapshot(database, small_snapshot())
    assert await SnapshotReader(database).get(OURS, stored.connection_id) == stored


async def test_an_account_without_objects_is_read_back_as_empty(database: Database) -> None:
    stored = store_snapshot(database, empty_snapshot(time_zone=None))
    assert await SnapshotReader(database).get(OURS, stored.connection_id) == stored


async def test_a_snapshot_is_hidden_from_other_scopes(database: Database) -> None:
    stored = store_snapshot(database, small_snapshot())
    reader = SnapshotReader(database)
    await reader.get(OURS, stored.connection_id)
    with pytest.raises(SnapshotNotFound, match="take a snapshot: calmo-pagerduty oncall run"):
        await reader.get(THEIRS, stored.connection_id)
    with pytest.raises(SnapshotNotFound):
        await reader.get_by_id(THEIRS, stored.id)
    assert await reader.list_snapshots(THEIRS, stored.connection_id) == ()


async def test_the_newest_snapshot_up_to_a_time_is_read(database: Database) -> None:
    first = store_snapshot(database, small_snapshot())
    second = store_snapshot_of(database, days_later(first, 1))
    reader = SnapshotReader(database)
    assert (await reader.get(EVERYTHING, first.connection_id)).id == second.id
    assert (await reader.get(EVERYTHING, first.connection_id, taken(second))).id == second.id
    just_before = taken(second) - timedelta(seconds=1)
    assert (await reader.get(EVERYTHING, first.connection_id, just_before)).id == first.id
    with pytest.raises(SnapshotNotFound, match="of 2026-05-31 12:00 UTC or before"):
        await reader.get(EVERYTHING, first.connection_id, taken(first) - DAY)
    listed = await reader.list_snapshots(OURS, first.connection_id)
    assert [snapshot.head.id for snapshot in listed] == [second.id, first.id]


async def test_a_snapshot_of_a_removed_connection_is_not_read(database: Database) -> None:
    stored = store_snapshot(database, small_snapshot())
    database.write_blocking(lambda t: connections.mark_removed(t, stored.connection_id, NOON))
    with pytest.raises(SnapshotNotFound):
        await SnapshotReader(database).get(EVERYTHING, stored.connection_id)


async def test_what_does_not_change_is_stored_once(database: Database) -> None:
    first = store_snapshot(database, small_snapshot())
    contents = len(rows(database, tables.snapshot_blobs))
    store_snapshot_of(database, days_later(first, 1))
    assert len(rows(database, tables.snapshot_blobs)) == contents
    renamed = replace(first.users[0], name="Ada L.")
    changed = store_snapshot_of(database, replace(days_later(first, 2), users=(renamed,)))
    assert len(rows(database, tables.snapshot_blobs)) == contents + 1
    assert await SnapshotReader(database).get(EVERYTHING, first.connection_id) == changed


async def test_content_is_deleted_with_the_last_snapshot_that_has_it(database: Database) -> None:
    first = store_snapshot(database, small_snapshot())
    second = store_snapshot_of(database, days_later(first, 1))
    database.write_blocking(lambda t: store.delete_snapshots(t, [first.id]))
    assert await SnapshotReader(database).get(EVERYTHING, first.connection_id) == second
    database.write_blocking(lambda t: store.delete_snapshots(t, [second.id]))
    assert rows(database, tables.snapshot_blobs) == []
    assert rows(database, tables.snapshot_parts) == []


async def test_a_damaged_snapshot_is_said_with_advice(database: Database) -> None:
    stored = store_snapshot(database, small_snapshot())
    damage = sa.update(tables.snapshot_blobs).values(data=zlib.compress(b'[{"id": 3}]'))
    database.write_blocking(lambda t: t.execute(damage))
    with pytest.raises(SnapshotUnreadable, match="take a snapshot"):
        await SnapshotReader(database).get(EVERYTHING, stored.connection_id)


def test_each_section_has_a_form_and_each_form_its_section() -> None:
    assert set(FORMS) == set(SectionName)


def test_the_same_content_has_the_same_bytes_in_whatever_order_it_was_read() -> None:
    snapshot = small_snapshot()
    turned = replace(snapshot, log_records=tuple(reversed(snapshot.log_records)))
    assert encode_snapshot(turned) == encode_snapshot(snapshot)


def test_the_past_is_stored_by_month() -> None:
    snapshot = small_snapshot()
    month = 31 * 86_400
    later = tuple(
        replace(record, id=f"{record.id}b", at=record.at + month) for record in snapshot.log_records
    )
    parts = encode_section(SectionName.LOG_ENTRIES, (*later, *snapshot.log_records))
    assert [part.chunk for part in parts] == ["2026-04", "2026-05"]
    assert decode_chunk(SectionName.LOG_ENTRIES, parts[0].data) == snapshot.log_records


def test_a_day_of_all_then_daily_then_monthly_snapshots_are_kept() -> None:
    now = datetime(2026, 6, 30, 12, tzinfo=UTC)
    hours = [now - timedelta(hours=hour) for hour in range(24 * 200)]
    ages = [SnapshotAge(f"{at:%Y-%m-%d %H}", "con", at, True) for at in hours]
    expired = expired_snapshots(ages, now)
    kept = [age.taken_at for age in ages if age.id not in set(expired)]
    assert list(expired) == sorted(expired)
    assert sum(now - at < DAY for at in kept) == 24
    days = [at for at in kept if DAY <= now - at < 90 * DAY]
    assert len(days) == 90 and all(at.hour == 23 for at in days[1:-1])
    months = [at for at in kept if now - at >= 90 * DAY]
    assert [f"{at:%Y-%m}" for at in months] == ["2026-04", "2026-03", "2026-02", "2026-01", "2025-12"]


def test_the_newest_snapshot_stays_however_old_and_an_unfinished_one_does_not() -> None:
    ages = [
        SnapshotAge("old", "con", NOON - 400 * DAY, True),
        SnapshotAge("abandoned", "con", NOON - 2 * DAY, False),
        SnapshotAge("running", "con", NOON - timedelta(hours=1), False),
    ]
    assert expired_snapshots(ages, NOON) == ("abandoned",)


async def test_the_sweeper_deletes_what_is_not_kept(database: Database) -> None:
    first = store_snapshot(database, small_snapshot())
    later = [store_snapshot_of(database, days_later(first, day / 4)) for day in range(1, 8)]
    sweeper = a_sweeper(database)
    counts = await sweeper.sweep_once(taken(later[-1]) + 2 * DAY)
    assert counts["account_snapshots"] == 5
    kept = await SnapshotReader(database).list_snapshots(EVERYTHING, first.connection_id)
    assert [snapshot.head.taken_at for snapshot in kept] == [later[day].taken_at for day in (6, 4, 0)]
