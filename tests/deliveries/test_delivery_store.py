"""The inbox: what is kept of a delivery, and how it gets from waiting to applied."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery
from calmo_pagerduty.incidents import store as issues
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.builders import NOON, facts, minutes, new_id
from tests.support.doors import deliveries_with_bodies, make_webhook, rows

pytestmark = pytest.mark.each_database

PATIENCE = timedelta(seconds=30)


@pytest.fixture
def webhook(database: Database, keyring: Keyring) -> str:
    return make_webhook(database, keyring)


@pytest.fixture
def connection_id(database: Database, keyring: Keyring, webhook: str) -> str:
    found = database.read_blocking(lambda c: webhooks.get_webhook(c, keyring, webhook, datetime.now(UTC)))
    assert found is not None
    return found.connection_id


def a_delivery(webhook: str, connection_id: str, **fields: Any) -> NewDelivery:
    event_id = fields.pop("event_id", new_id("01EVENT"))
    given = {
        "body": b"{}",
        "body_sha256": "00",
        "verdict": Verdict.ACCEPTED,
        "state": DeliveryState.PENDING,
        "incident_id": "Q1",
        "facts": f'{{"event_id":"{event_id}"}}',
        **fields,
    }
    return NewDelivery(
        webhook_id=webhook,
        connection_id=connection_id,
        dedup_key=event_id,
        event_id=event_id,
        event_type="incident.triggered",
        received_at=NOON,
        secret_version=1,
        **given,
    )


def record(database: Database, delivery: NewDelivery) -> Verdict:
    return database.write_blocking(lambda c: deliveries.insert_delivery(c, delivery))


def states(database: Database) -> list[str]:
    return [row.state for row in rows(database, tables.deliveries)]


def test_the_first_is_kept_a_repeated_one_counted_an_altered_one_kept_apart(
    database: Database, webhook: str, connection_id: str
) -> None:
    first = a_delivery(webhook, connection_id, event_id="01A")
    altered = a_delivery(webhook, connection_id, event_id="01A", body=b"[]", body_sha256="11")
    verdicts = [record(database, delivery) for delivery in (first, first, altered, altered, first)]
    assert verdicts == ["accepted", "duplicate", "conflict", "conflict", "duplicate"]
    kept, conflict = deliveries_with_bodies(database)
    assert (kept.duplicates, kept.state, kept.body) == (2, "pending", b"{}")
    assert (conflict.state, conflict.verdict, conflict.body) == ("conflict", "conflict", b"[]")


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.PAUSED, Verdict.DEAD_LETTER])
def test_a_new_delivery_keeps_the_verdict_it_came_with(
    database: Database, webhook: str, connection_id: str, verdict: Verdict
) -> None:
    assert record(database, a_delivery(webhook, connection_id, verdict=verdict)) is verdict


def test_what_waits_is_read_in_order_of_arrival_from_where_one_stopped(
    database: Database, webhook: str, connection_id: str
) -> None:
    for state in (
        DeliveryState.PENDING,
        DeliveryState.RECORDED,
        DeliveryState.PENDING,
        DeliveryState.PENDING,
    ):
        record(database, a_delivery(webhook, connection_id, state=state))
    everything = database.read_blocking(lambda c: deliveries.list_pending(c, 0, 10))
    seqs = [delivery.seq for delivery in everything]
    assert len(seqs) == 3
    assert seqs == sorted(seqs)
    after = database.read_blocking(lambda c: deliveries.list_pending(c, seqs[0], 1))
    assert [delivery.seq for delivery in after] == [seqs[1]]
    assert after[0].ref == IncidentRef(connection_id=connection_id, incident_id="Q1")
    assert after[0].scope == "organization:acme"


def confirm(database: Database, at_most: int = 100) -> int:
    """Confirm what is on a timeline, looking at so many at a time; return how many."""
    confirmed, after = 0, 0
    while True:
        page = database.read_blocking(lambda c: deliveries.list_forwarded(c, after, at_most))
        confirmed += database.write_blocking(lambda c: deliveries.mark_applied(c, page.arrived, NOON))
        if page.last is None:
            return confirmed
        after = page.last


def send_again(database: Database, now: datetime) -> int:
    overdue = database.read_blocking(lambda c: deliveries.list_overdue(c, now, PATIENCE, 100))
    return database.write_blocking(lambda c: deliveries.mark_pending_again(c, overdue))


def test_only_what_waits_becomes_forwarded(database: Database, webhook: str, connection_id: str) -> None:
    for state in (DeliveryState.PENDING, DeliveryState.DEAD_LETTER, DeliveryState.APPLIED):
        record(database, a_delivery(webhook, connection_id, state=state))
    seqs = [row.seq for row in rows(database, tables.deliveries)]
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, seqs, NOON))
    assert states(database) == ["forwarded", "dead_letter", "applied"]


def test_what_reached_its_timeline_is_applied_and_what_did_not_stays(
    database: Database, webhook: str, connection_id: str
) -> None:
    arrived, lost = (a_delivery(webhook, connection_id) for _ in range(2))
    for delivery in (arrived, lost):
        record(database, delivery)
    seqs = [row.seq for row in rows(database, tables.deliveries)]
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, seqs, NOON))
    ref = IncidentRef(connection_id=connection_id, incident_id="Q1")
    event = facts(EventType.TRIGGERED, event_id=arrived.event_id, seq=seqs[0])
    database.write_blocking(lambda c: issues.insert_events(c, ref, [event], Severity.INFO, NOON))
    assert confirm(database) == 1
    assert states(database) == ["applied", "forwarded"]
    assert database.read_blocking(deliveries.count_unfinished) == 1


@pytest.mark.each_database
@pytest.mark.parametrize("at_most", [1, 2, 100])
def test_all_that_arrived_is_confirmed_page_by_page(
    database: Database, webhook: str, connection_id: str, at_most: int
) -> None:
    sent = [a_delivery(webhook, connection_id) for _ in range(5)]
    for delivery in sent:
        record(database, delivery)
    seqs = [row.seq for row in rows(database, tables.deliveries)]
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, seqs, NOON))
    ref = IncidentRef(connection_id=connection_id, incident_id="Q1")
    arrived = [facts(EventType.TRIGGERED, event_id=sent[n].event_id, seq=seqs[n]) for n in (0, 3, 4)]
    database.write_blocking(lambda c: issues.insert_events(c, ref, arrived, Severity.INFO, NOON))
    assert confirm(database, at_most) == 3
    assert states(database) == ["applied", "forwarded", "forwarded", "applied", "applied"]
    assert confirm(database, at_most) == 0


def test_what_arrived_meanwhile_is_not_sent_again(
    database: Database, webhook: str, connection_id: str
) -> None:
    delivery = a_delivery(webhook, connection_id)
    record(database, delivery)
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, [1], NOON))
    late = NOON + timedelta(days=9)
    overdue = database.read_blocking(lambda c: deliveries.list_overdue(c, late, PATIENCE, 100))
    ref = IncidentRef(connection_id=connection_id, incident_id="Q1")
    event = facts(EventType.TRIGGERED, event_id=delivery.event_id)
    database.write_blocking(lambda c: issues.insert_events(c, ref, [event], Severity.INFO, NOON))
    assert overdue == [1]
    assert database.write_blocking(lambda c: deliveries.mark_pending_again(c, overdue)) == 0


def test_an_incident_with_many_deliveries_on_their_way_is_crowded(
    database: Database, webhook: str, connection_id: str
) -> None:
    for incident in ("Q1", "Q1", "Q1", "Q2", "Q2"):
        record(database, a_delivery(webhook, connection_id, incident_id=incident))
    seqs = [row.seq for row in rows(database, tables.deliveries)]
    assert database.read_blocking(lambda c: deliveries.list_backlogged_incidents(c, 1)) == []
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, seqs, NOON))
    crowded = database.read_blocking(lambda c: deliveries.list_backlogged_incidents(c, 3))
    assert crowded == [IncidentRef(connection_id=connection_id, incident_id="Q1")]


def test_an_event_on_another_incidents_timeline_proves_nothing(
    database: Database, webhook: str, connection_id: str
) -> None:
    delivery = a_delivery(webhook, connection_id)
    record(database, delivery)
    database.write_blocking(lambda c: deliveries.mark_forwarded(c, [1], NOON))
    other = IncidentRef(connection_id=connection_id, incident_id="Q2")
    event = facts(EventType.TRIGGERED, event_id=delivery.event_id)
    database.write_blocking(lambda c: issues.insert_events(c, other, [event], Severity.INFO, NOON))
    assert confirm(database) == 0


def test_what_got_lost_waits_again_and_each_time_twice_as_long(
    database: Database, webhook: str, connection_id: str
) -> None:
    record(database, a_delivery(webhook, connection_id))
    for attempt in range(10):
        patience = PATIENCE * 2 ** min(attempt, 7)
        database.write_blocking(lambda c: deliveries.mark_forwarded(c, [1], NOON))
        for now, expected in ((NOON + patience, 0), (NOON + patience + minutes(0.01), 1)):
            again = send_again(database, now)
            assert again == expected, attempt
        [waiting] = database.read_blocking(lambda c: deliveries.list_pending(c, 0, 10))
        assert waiting.attempts == attempt + 1


def test_what_is_set_aside_is_neither_forwarded_nor_sent_again_and_its_issue_says_so(
    database: Database, webhook: str, connection_id: str
) -> None:
    record(database, a_delivery(webhook, connection_id))
    ref = IncidentRef(connection_id=connection_id, incident_id="Q1")
    database.write_blocking(lambda c: issues.insert_events(c, ref, [facts()], Severity.INFO, NOON))

    def set_aside(connection: sa.Connection) -> None:
        deliveries.mark_dead(connection, [1], "Temporal refuses it")
        deliveries.mark_needs_reconcile(connection, [ref])

    database.write_blocking(set_aside)
    [row] = rows(database, tables.deliveries)
    assert (row.state, row.reason) == ("dead_letter", "Temporal refuses it")
    assert database.read_blocking(deliveries.count_unfinished) == 0
    assert send_again(database, NOON + timedelta(days=9)) == 0
    assert [row.needs_reconcile for row in rows(database, tables.issues)] == [True]
