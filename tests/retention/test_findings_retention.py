"""Results of analyses and digests are kept for a time; a removed connection leaves no finding."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access.persons import ALL_PERSONS
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings import queries
from calmo_pagerduty.findings.queries import FindingFilter
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall import digest_store as digests
from tests.support.doors import rows
from tests.support.findings import a_digest, a_gap, a_result
from tests.support.retention import a_sweeper
from tests.support.snapshots import new_connection

pytestmark = pytest.mark.each_database

KEPT = timedelta(days=400)


def left(database: Database) -> tuple[int, int, int]:
    """Return how many results, digests and events of findings there are."""
    names = (tables.analysis_results, tables.oncall_digests, tables.finding_events)
    results, digests_left, events = (len(rows(database, table)) for table in names)
    return results, digests_left, events


async def test_old_results_go_and_a_removed_connection_leaves_no_finding(database: Database) -> None:
    now = datetime.now(UTC)
    mine, removed = new_connection(database), new_connection(database)
    for connection in (mine, removed):
        await FindingService(database).record(connection, a_result(a_gap()))
        digest = a_digest(connection)
        database.write_blocking(lambda t: digests.insert_digest(t, digest, now))
    sweeper = a_sweeper(database, KEPT, KEPT)
    await sweeper.sweep_once(now)
    assert left(database) == (2, 2, 2)
    is_removed = tables.connections.c.id == removed
    end = sa.update(tables.connections).where(is_removed).values(removed_at=now)
    database.write_blocking(lambda t: t.execute(end))
    page = database.read_blocking(
        lambda t: queries.list_findings(t, EVERYTHING, ALL_PERSONS, FindingFilter(), 9)
    )
    assert [stored.connection_id for stored in page.findings] == [mine]
    await sweeper.sweep_once(now)
    assert left(database) == (1, 1, 1)
    await sweeper.sweep_once(now + KEPT + timedelta(days=1))
    assert left(database) == (0, 0, 0)
