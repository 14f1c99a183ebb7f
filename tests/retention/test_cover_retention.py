"""Requests for cover tell of people's nights: they go after a quarter, or with their connection."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.workload import store
from tests.support.cover import cover_request
from tests.support.doors import rows
from tests.support.retention import a_sweeper
from tests.support.snapshots import new_connection

pytestmark = pytest.mark.each_database

KEPT = timedelta(days=400)


async def test_old_requests_go_and_those_of_a_removed_connection(database: Database) -> None:
    now = datetime.now(UTC)
    mine, removed = new_connection(database), new_connection(database)
    requests = (
        cover_request(mine, now),
        cover_request(mine, now - timedelta(days=91)),
        cover_request(removed, now),
    )
    for request in requests:
        database.write_blocking(lambda t: store.insert_request(t, request))
    end = sa.update(tables.connections).where(tables.connections.c.id == removed).values(removed_at=now)
    database.write_blocking(lambda t: t.execute(end))
    await a_sweeper(database, KEPT, KEPT).sweep_once(now)
    assert [row.id for row in rows(database, tables.cover_requests)] == [requests[0].id]
