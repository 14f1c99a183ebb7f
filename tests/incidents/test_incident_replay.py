"""An incident's replay decides as its workflow did, and says why."""

from dataclasses import replace

import sqlalchemy as sa

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents import queries as issue_queries, store as issues
from calmo_pagerduty.incidents.incident_replay import ReplayOutcome, StoredEvent, replay_incident
from calmo_pagerduty.incidents.incident_replay_queries import list_stored_events
from calmo_pagerduty.incidents.lifecycle import EventFacts, LifecyclePolicy
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, SECRET, an_event, facts, minutes, new_id
from tests.support.doors import make_webhook
from tests.support.kept_deliveries import keep

POLICY = LifecyclePolicy(gathers_context=True)
TRIGGERED = facts(EventType.TRIGGERED, seq=1, event_id="T")
ACKNOWLEDGED = facts(
    EventType.ACKNOWLEDGED, NOON + minutes(2), 3, "A", IncidentStatus.ACKNOWLEDGED, priority="P1"
)
RESOLVED = facts(EventType.RESOLVED, NOON + minutes(9), 2, "R", IncidentStatus.RESOLVED)


def stored(event: EventFacts, place: int | None, moved: bool | None) -> StoredEvent:
    return StoredEvent(
        seq=event.seq,
        event_id=event.event_id,
        event_type=event.event_type,
        received_at=event.occurred_at,
        forwarded_at=event.occurred_at,
        state=DeliveryState.APPLIED,
        reason=None,
        facts=event,
        place=place,
        moved=moved,
    )


def test_each_step_shows_the_state_before_and_after_and_what_the_workflow_did() -> None:
    replay = replay_incident(
        [stored(TRIGGERED, 1, True), stored(ACKNOWLEDGED, 2, True), stored(RESOLVED, 3, True)], POLICY
    )
    first, second, third = replay.steps
    assert first.effects == (
        "put it on the timeline",
        "publish status triggered, severity medium",
        "ask for the context: first event",
    )
    assert (second.before.severity, second.after.severity) == (Severity.MEDIUM, Severity.CRITICAL)
    assert second.reason == "it is newer than T of 2026-06-01 12:00:00 UTC, which the state came from"
    assert third.after.status is IncidentStatus.RESOLVED
    assert third.effects[-1] == "end at 2026-06-02 12:09 UTC if it isn't reopened"
    assert replay.agrees


def test_the_order_is_that_of_saving_and_a_late_event_says_why_it_changed_nothing() -> None:
    late = stored(ACKNOWLEDGED, 3, False)
    replay = replay_incident([late, stored(RESOLVED, 2, True), stored(TRIGGERED, 1, True)], POLICY)
    assert [step.event_id for step in replay.steps] == ["T", "R", "A"]
    assert replay.steps[2].outcome is ReplayOutcome.LATE
    assert "an older event never replaces a newer one" in replay.steps[2].reason
    assert replay.agrees
    assert not replay_incident([stored(TRIGGERED, 1, False)], POLICY).agrees


def test_what_never_reached_the_workflow_says_why_and_a_second_webhooks_copy_is_repeated() -> None:
    paused = replace(stored(ACKNOWLEDGED, None, None), state=DeliveryState.PAUSED)
    copy = replace(stored(TRIGGERED, 1, True), seq=9)
    told = facts(EventType.ANNOTATED, NOON + minutes(1), 5, "N", shows_incident=False)
    replay = replay_incident(
        [stored(TRIGGERED, 1, True), copy, paused, stored(told, 2, False), stored(RESOLVED, 3, True)], POLICY
    )
    assert [(step.event_id, step.outcome) for step in replay.steps] == [
        ("T", ReplayOutcome.SET_STATE),
        ("T", ReplayOutcome.REPEATED),
        ("N", ReplayOutcome.TIMELINE_ONLY),
        ("R", ReplayOutcome.SET_STATE),
        ("A", ReplayOutcome.NOT_SENT),
    ]
    assert replay.steps[-1].reason == "the webhook was paused when it came"
    assert replay.agrees


def test_the_replay_of_stored_deliveries_agrees_with_the_timeline_and_names_what_is_gone(
    database: Database, keyring: Keyring
) -> None:
    hook = make_webhook(database, keyring, SECRET)
    incident = new_id()
    connection = database.read_blocking(
        lambda t: t.execute(sa.select(tables.webhooks.c.connection_id)).scalar_one()
    )
    ref = IncidentRef(connection_id=connection, incident_id=incident)
    keep(database, hook, an_event("incident.triggered", incident), state=DeliveryState.APPLIED)
    gone = facts(EventType.ACKNOWLEDGED, NOON + minutes(1), 77, "GONE", IncidentStatus.ACKNOWLEDGED)

    def save(tx: Transaction) -> None:
        event = EventFacts.from_delivery_row(tx.execute(sa.select(tables.deliveries)).one())
        issues.insert_events(tx, ref, [event], Severity.MEDIUM, NOON)
        issues.insert_events(tx, ref, [gone], Severity.MEDIUM, NOON)

    database.write_blocking(save)
    issue = database.read_blocking(lambda t: issue_queries.get_issue(t, EVERYTHING, ref.issue_id))
    assert issue is not None
    events, missing = database.read_blocking(lambda t: list_stored_events(t, EVERYTHING, issue))
    replay = replay_incident(events, POLICY, missing)
    assert [step.outcome for step in replay.steps] == [ReplayOutcome.SET_STATE]
    assert replay.agrees
    assert replay.missing == ("GONE",)
