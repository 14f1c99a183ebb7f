"""Each table has a written bound, and the sweeper keeps it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.retention import store as retention
from calmo_pagerduty.retention.bounds import BOUNDS, MAX_AGES, Deletion, Periods
from tests.support.doors import rows
from tests.support.retention import a_sweeper
from tests.support.tenants import fill_tenant

YEARS = timedelta(days=5 * 365)
#: Of these, the newest stays: the chain goes on from it, and analyses rest on it.
NEWEST_STAYS = {"audit", "account_snapshots", "snapshot_parts", "snapshot_blobs"}


def test_every_table_has_a_bound_and_every_deletion_bounds_a_table() -> None:
    assert set(BOUNDS) == set(tables.metadata.tables)
    assert {deletion for bound in BOUNDS.values() for deletion in bound.deletions} == set(Deletion)
    assert set(MAX_AGES) == {*retention.DELETIONS, Deletion.AUDIT} == set(Deletion)


def test_ids_are_kept_as_long_as_bodies_and_issues_as_long_as_ids() -> None:
    day = timedelta(days=1)
    assert Periods(9 * day, 5 * day, 3 * day) == Periods(9 * day, 9 * day, 9 * day)


def end_everything(tx: sa.Connection) -> None:
    """Let everything be over that waits for somebody."""
    now = datetime.now(UTC)
    tx.execute(sa.update(tables.deliveries).values(state=DeliveryState.APPLIED))
    tx.execute(sa.update(tables.issues).values(status="resolved", resolved_at=now))
    tx.execute(sa.update(tables.tool_calls).values(finished_at=now))
    tx.execute(sa.update(tables.escalation_drills).values(finished_at=now))
    tx.execute(sa.update(tables.oncall_runs).values(state="complete", finished_at=now))
    tx.execute(sa.update(tables.findings).values(state="resolved", is_present=False))


@pytest.mark.each_database
async def test_whatever_a_tenant_left_is_gone_after_years_but_what_there_are_few_of(
    database: Database,
) -> None:
    fill_tenant(database, "organization:acme")
    sweeper = a_sweeper(database)
    await sweeper.sweep_once(datetime.now(UTC) + YEARS)
    assert rows(database, tables.issues), "what is open stays"
    assert rows(database, tables.tool_calls)
    database.write_blocking(end_everything)
    await sweeper.sweep_once(datetime.now(UTC) + YEARS)
    kept = {name for name, table in tables.metadata.tables.items() if rows(database, table)}
    assert {name for name in kept if BOUNDS[name].deletions} == NEWEST_STAYS
