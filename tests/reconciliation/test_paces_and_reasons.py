"""How slowly PagerDuty is asked, and what makes a comparison due before its time."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections.rate_limit_store import claim_turn
from calmo_pagerduty.connections.throttle import HEALTH_PACE
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.reconciliation import reason_queries as reconcile_reasons, store as reconciliations
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.builders import SECRET
from tests.support.connected import add_connection
from workflows.reconcile import MAX_WINDOWS, WINDOW, WINDOW_OVERLAP, split_windows

pytestmark = pytest.mark.each_database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCOPE = "organization:acme"


async def test_a_minute_never_holds_more_than_a_tenth_of_pagerdutys_limit_in_all_processes_together(
    database: Database, migrated_url: str, connection_id: str
) -> None:
    pace = HEALTH_PACE
    assert pace.per_minute + pace.at_once <= 96
    moment, granted = NOW, list[float]()
    with closing(Database(migrated_url)) as another:
        for number in range(250):
            # Pauses of all lengths: what was not asked for meanwhile may not be made up for.
            moment += timedelta(seconds=number % 7 * (number % 50 == 0))
            now = moment
            process = (database, another)[number % 2]
            wait = process.write_blocking(
                lambda tx: claim_turn(tx, connection_id, pace.name, pace.seconds, pace.at_once, now)
            )
            moment += timedelta(seconds=wait * (number % 3 == 0))
            granted.append(now.timestamp() + wait)
    assert max(sum(begin <= at < begin + 60 for at in granted) for begin in granted) <= 96
    other_pace = database.write_blocking(lambda tx: claim_turn(tx, connection_id, "other", 1.0, 1, moment))
    assert other_pace == 0.0


def test_the_pieces_of_a_time_cover_it_without_a_gap_and_are_never_too_many() -> None:
    for hours in (0.1, 6, 6.5, 24, 24 * 365):
        since = NOW - timedelta(hours=hours)
        pieces = list(split_windows(since, NOW))
        assert pieces[0][0] == since - WINDOW_OVERLAP and pieces[-1][1] == NOW
        assert all(end - WINDOW_OVERLAP == begin for (_, end), (begin, _) in pairwise(pieces))
        assert len(pieces) <= max(MAX_WINDOWS + 1, hours * timedelta(hours=1) / WINDOW + 1)
    assert list(split_windows(NOW, NOW)) == []


@pytest.fixture
def connection_id(database: Database, keyring: Keyring) -> str:
    made = add_connection(database, keyring, SCOPE)
    database.write_blocking(lambda t: webhooks.insert_webhook(t, keyring, Scope.parse(SCOPE), SECRET, NOW))
    return made


def reason(database: Database, connection_id: str) -> str | None:
    return database.read_blocking(lambda t: reconcile_reasons.get_reconcile_reason(t, connection_id))


def test_a_connection_with_a_token_and_a_webhook_is_looked_after(
    database: Database, connection_id: str
) -> None:
    (connection,) = database.read_blocking(reconcile_reasons.list_reconciled_connections)
    assert (connection.connection_id, connection.scope, connection.reconciled_until) == (
        connection_id,
        SCOPE,
        None,
    )
    database.write_blocking(lambda t: t.execute(sa.update(tables.webhooks).values(deleted_at=NOW)))
    assert database.read_blocking(reconcile_reasons.list_reconciled_connections) == ()


def test_what_went_wrong_since_the_last_run_is_a_reason(database: Database, connection_id: str) -> None:
    def run(transaction: Transaction, at: datetime) -> None:
        reconciliations.insert_run(transaction, connection_id, "a test", at, at, at)

    database.write_blocking(lambda t: run(t, NOW))
    assert reason(database, connection_id) is None
    letter = {
        "at": NOW + timedelta(seconds=5),
        "source": "workflow",
        "reason": "odd",
        "payload": "",
        "subject": f"pd-incident:P1:{connection_id}",
        "payload_sha256": "x",
    }
    database.write_blocking(lambda t: t.execute(tables.dead_letters.insert().values(**letter)))
    assert reason(database, connection_id) == "an event was set aside"
    database.write_blocking(lambda t: run(t, NOW + timedelta(minutes=1)))
    assert reason(database, connection_id) is None


def test_a_burst_of_deliveries_that_were_asked_to_come_back_is_a_reason(
    database: Database, connection_id: str
) -> None:
    database.write_blocking(lambda t: reconciliations.insert_run(t, connection_id, "a test", NOW, NOW, NOW))
    webhook_id = database.read_blocking(lambda t: t.execute(sa.select(tables.webhooks.c.id)).scalar_one())
    row = {
        "webhook_id": webhook_id,
        "at": NOW + timedelta(seconds=1),
        "verdict": "unproven",
        "reason": "",
        "status": 503,
        "body_bytes": 1,
        "body_sha256": "x",
    }
    for count in (1, 2, 3):
        database.write_blocking(lambda t: t.execute(tables.refusals.insert().values(**row)))
        assert (reason(database, connection_id) is not None) is (count >= 3)


def test_the_watermark_never_goes_back(database: Database, connection_id: str) -> None:
    for moment in (NOW, NOW - timedelta(hours=1)):
        database.write_blocking(lambda t: reconciliations.update_watermark(t, connection_id, moment))
    assert database.read_blocking(lambda t: reconciliations.get_watermark(t, connection_id)) == NOW
