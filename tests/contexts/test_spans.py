"""A past is read piece by piece and known as one span of time without a gap."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.background_client import BackgroundClient
from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account.cache import AccountCache
from calmo_pagerduty.contexts.account.incremental_feed import FeedSync
from calmo_pagerduty.contexts.account_cache_store import SyncedRange
from calmo_pagerduty.contexts.gathering.history_source import INCIDENTS
from calmo_pagerduty.db import tables
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.request_builders import get
from tests.support.doors import rows
from tests.support.gathering import a_shop
from tests.support.system import System

PIECEMEAL = replace(INCIDENTS, ttl=timedelta())


@pytest.fixture
async def reading(system: System) -> BackgroundClient:
    system.site.account = a_shop(incidents=250, days=100)
    connection_id = system.connection_id
    connection = system.database.read_blocking(
        lambda t: connections.get_connection(t, EVERYTHING, connection_id)
    )
    assert connection is not None
    return BackgroundClient(
        await system.ingress.services.pagerduty_clients.client(connection, timedelta(seconds=10))
    )


@pytest.fixture
def spans(system: System) -> FeedSync:
    memory = AccountCache(system.database)
    return FeedSync(system.database, memory, system.connection_id)


def kept(system: System) -> set[str]:
    return {row.id for row in rows(system.database, tables.account_incidents)}


async def test_the_newest_come_first_and_the_rest_piece_by_piece(
    system: System, reading: BackgroundClient, spans: FeedSync
) -> None:
    order = system.account.incident_order
    total = len(order)
    first = await spans.sync(PIECEMEAL, reading, 1)
    assert first is not None and not first.is_whole
    assert kept(system) == set(order[-100:])
    seen = [first]
    while not seen[-1].is_whole:
        found = await spans.sync(PIECEMEAL, reading, 2)
        assert found is not None
        assert found.since < seen[-1].since
        seen.append(found)
    assert kept(system) == set(order)
    assert reading.requests <= 2 * len(seen) + total // 100
    # What is whole stays whole: only what is new is asked for.
    before = reading.requests
    again = await spans.sync(PIECEMEAL, reading, 10)
    assert again is not None and again.is_whole
    assert reading.requests - before <= 2


async def test_after_a_long_absence_the_gap_is_read_too(
    system: System, reading: BackgroundClient, spans: FeedSync
) -> None:
    order = system.account.incident_order
    now = datetime.now(UTC)
    long_ago = SyncedRange(now - timedelta(days=180), now - timedelta(days=90), True, now)
    connection_id = system.connection_id
    system.database.write_blocking(
        lambda t: cache_store.upsert_synced_range(t, connection_id, INCIDENTS.name, long_ago)
    )
    found = await spans.sync(PIECEMEAL, reading, 1)
    assert found is not None and not found.is_whole
    while found is not None and not found.is_whole:
        found = await spans.sync(PIECEMEAL, reading, 2)
    assert found is not None
    assert set(order) == kept(system)


async def test_a_list_in_another_order_counts_only_once_it_is_whole(
    system: System, reading: BackgroundClient, spans: FeedSync
) -> None:
    oldest_first = replace(
        PIECEMEAL,
        request=lambda since, until: get("/incidents", since=since, until=until, sort_by="created_at:asc"),
    )
    assert await spans.sync(oldest_first, reading, 1) is None
    found = await spans.sync(oldest_first, reading, 10)
    assert found is not None and found.is_whole
    assert kept(system) == set(system.account.incident_order)
