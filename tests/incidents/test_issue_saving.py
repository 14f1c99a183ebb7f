"""Issue and timeline change in one transaction, and an event counts once."""

from datetime import UTC, datetime

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.incidents import queries as issue_queries, store as issues
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.builders import NOON, SECRET, facts, minutes, new_id

pytestmark = pytest.mark.each_database


def a_connection(database: Database, keyring: Keyring) -> str:
    scope = Scope.parse("organization:acme")
    now = datetime.now(UTC)
    webhook = database.write_blocking(lambda t: webhooks.insert_webhook(t, keyring, scope, SECRET, now))
    found = database.read_blocking(lambda t: webhooks.get_webhook(t, keyring, webhook, now))
    assert found is not None
    return found.connection_id


def test_an_event_that_is_saved_twice_is_on_the_timeline_once(database: Database, keyring: Keyring) -> None:
    ref = IncidentRef(connection_id=a_connection(database, keyring), incident_id=new_id())
    event = facts(EventType.TRIGGERED)
    for _ in range(2):
        database.write_blocking(lambda t: issues.insert_events(t, ref, [event], Severity.CRITICAL, NOON))
    issue = database.read_blocking(lambda t: issue_queries.get_issue(t, EVERYTHING, ref.issue_id))
    assert issue is not None
    timeline = database.read_blocking(lambda t: issue_queries.list_timeline(t, issue))
    assert [entry.event_id for entry in timeline] == [event.event_id]


def test_an_older_event_joins_the_timeline_without_moving_the_status(
    database: Database, keyring: Keyring
) -> None:
    ref = IncidentRef(connection_id=a_connection(database, keyring), incident_id=new_id())
    resolved = facts(EventType.RESOLVED, at=NOON + minutes(5), status=IncidentStatus.RESOLVED)
    acknowledged = facts(EventType.ACKNOWLEDGED, at=NOON, status=IncidentStatus.ACKNOWLEDGED)
    for event in (resolved, acknowledged):
        database.write_blocking(lambda t: issues.insert_events(t, ref, [event], Severity.INFO, NOON))
    issue = database.read_blocking(lambda t: issue_queries.get_issue(t, EVERYTHING, ref.issue_id))
    assert issue is not None
    assert issue.status is IncidentStatus.RESOLVED
    assert issue.acknowledged_at == NOON
    timeline = database.read_blocking(lambda t: issue_queries.list_timeline(t, issue))
    assert [(entry.event_type, entry.moved) for entry in timeline] == [
        (EventType.ACKNOWLEDGED, False),
        (EventType.RESOLVED, True),
    ]
