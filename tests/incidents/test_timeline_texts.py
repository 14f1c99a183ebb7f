"""What a person reads on a timeline, for every type of event and for what no one expects."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from calmo_pagerduty.incidents.timeline import TimelineEntry, event_entry
from calmo_pagerduty.pagerduty.event_types import EVENT_RULES, EventType, IssueAction
from calmo_pagerduty.pagerduty.webhook_events import MAX_TEXT, WebhookEvent, parse_event
from pagerduty_simulator.every_event_scenario import EVERY_EVENT
from pagerduty_simulator.scenarios import events_of
from tests.support.builders import NOON, a_note, a_reference, an_event, body_of, facts

#: The first event of each type that the simulator tells, in words.
WORDS = {
    EventType.PING: "ping by Priya Raman",
    EventType.SERVICE_CREATED: "service created",
    EventType.SERVICE_CUSTOM_FIELD_VALUES_UPDATED: "service custom fields updated",
    EventType.SERVICE_SETTINGS_UPDATED: "service updated by Priya Raman",
    EventType.SERVICE_DELETED: "service deleted by Priya Raman",
    EventType.TRIGGERED: "triggered: assigned to Priya Raman",
    EventType.ACKNOWLEDGED: "acknowledged by Priya Raman",
    EventType.PRIORITY_UPDATED: "priority updated by Priya Raman: P1",
    EventType.ANNOTATED: "note added by Priya Raman: Started right after the release.",
    EventType.ESCALATED: "escalated by Priya Raman: assigned to Jonas Lindqvist",
    EventType.UNACKNOWLEDGED: "unacknowledged",
    EventType.REASSIGNED: "reassigned by Priya Raman: assigned to Sofia Castro",
    EventType.DELEGATED: "delegated by Priya Raman: Platform on-call",
    EventType.SERVICE_UPDATED: "moved to another service by Priya Raman: Payment gateway",
    EventType.INCIDENT_TYPE_CHANGED: "incident type changed by Priya Raman: major",
    EventType.STATUS_UPDATE_PUBLISHED: "status update published by Priya Raman: We are rolling back.",
    EventType.RESPONDER_ADDED: "responder added by Priya Raman: Mei Tanaka, Payments on-call (pending)",
    EventType.RESPONDER_REPLIED: "responder replied by Mei Tanaka: Mei Tanaka, Payments on-call (declined)",
    EventType.CONFERENCE_BRIDGE_UPDATED: "conference bridge updated by Priya Raman",
    EventType.CUSTOM_FIELD_VALUES_UPDATED: "custom fields updated by Priya Raman",
    EventType.ROLE_ASSIGNED: "role assigned by Priya Raman: Scribe is Mei Tanaka",
    EventType.TASK_CREATED: "task created by Priya Raman: Write to the affected customers",
    EventType.TASK_UPDATED: "task updated by Priya Raman: Write to the affected customers",
    EventType.TASK_COMPLETED: "task completed by Priya Raman: Write to the affected customers",
    EventType.ACTION_INVOCATION_CREATED: "action started by Priya Raman: Restart payment pods",
    EventType.ACTION_INVOCATION_UPDATED: "action updated: Restart payment pods",
    EventType.ACTION_INVOCATION_TERMINATED: "action ended: Restart payment pods",
    EventType.WORKFLOW_STARTED: "incident workflow started: Major incident response",
    EventType.WORKFLOW_COMPLETED: "incident workflow completed: Major incident response",
    EventType.RESOLVED: "resolved by Priya Raman",
    EventType.REOPENED: "reopened by Priya Raman",
}


def entry_for(body: bytes) -> TimelineEntry:
    event = parse_event(body)
    assert isinstance(event, WebhookEvent)
    return event_entry(facts(event.event_type, event_id=event.event_id), event, True)


def test_every_type_of_event_has_its_words() -> None:
    first: dict[str, str] = {}
    for told in events_of(EVERY_EVENT, seed=5, begins_at=NOON):
        first.setdefault(str(told.event_type), entry_for(told.body).summary)
    assert first == {str(event_type): words for event_type, words in WORDS.items()}
    assert set(WORDS) == set(EVENT_RULES)


def test_an_entry_says_who_did_what_when_and_from_which_event() -> None:
    event = an_event(EventType.ACKNOWLEDGED, "QINCIDENT1", at=NOON, event_id="01EVENT")
    parsed = parse_event(body_of(event))
    assert isinstance(parsed, WebhookEvent)
    entry = event_entry(facts(EventType.ACKNOWLEDGED, at=NOON, event_id="01EVENT", seq=7), parsed, False)
    assert entry.actor is not None
    assert (entry.actor.id, entry.actor.name) == ("PUSER1", "Robin Reyes")
    assert (entry.event_id, entry.seq, entry.occurred_at, entry.moved) == ("01EVENT", 7, NOON, False)
    assert entry.action is IssueAction.ACKNOWLEDGE


def test_an_event_of_a_new_type_is_named() -> None:
    entry = event_entry(facts("incident.teleported"), None, False)
    assert entry.summary == "event of a new type: incident.teleported"
    assert entry.action is IssueAction.RECORD


def test_without_its_body_an_event_still_has_words() -> None:
    entry = event_entry(facts(EventType.ANNOTATED), None, False)
    assert (entry.summary, entry.actor) == ("note added", None)


def test_someone_without_a_name_is_called_by_id() -> None:
    event = an_event(EventType.REASSIGNED, "QINCIDENT1", assignees=[{"id": "PUSER9", "summary": None}])
    event["event"]["agent"] = {"id": "PBOT", "type": "bot"}
    assert entry_for(body_of(event)).summary == "reassigned by PBOT: assigned to PUSER9"


def test_a_removed_priority_is_said() -> None:
    event = an_event(EventType.PRIORITY_UPDATED, "QINCIDENT1", priority=None)
    assert entry_for(body_of(event)).summary == "priority updated by Robin Reyes: none"


def test_an_endless_note_is_cut() -> None:
    assert len(entry_for(body_of(a_note("QINCIDENT1", "x" * 50_000))).summary) == MAX_TEXT


def test_a_note_that_no_database_could_hold_is_cleaned() -> None:
    summary = entry_for(body_of(a_note("QINCIDENT1", "a\x00b\ud800c"))).summary
    assert summary.endswith("a\N{REPLACEMENT CHARACTER}b?c")


@pytest.mark.parametrize("depth", [10, 900, 960, 980, 985, 987, 988, 989, 990, 991, 992, 995])
def test_a_note_that_is_no_text_says_nothing(depth: int) -> None:
    body = body_of(a_note("QINCIDENT1", "HERE")).replace(b'"HERE"', b"[" * depth + b"]" * depth)
    event = parse_event(body)
    if isinstance(event, WebhookEvent):
        assert event_entry(facts(event.event_type), event, False).summary == "note added by Robin Reyes"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = (
    "assignees", "escalation_policy", "priority", "service", "incident_type", "content", "message", "user",
    "state", "incident_role_assignments", "name", "action", "incident_workflow", "id", "type", "incident",
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(EventType), st.dictionaries(st.sampled_from(_KEYS), _JSON), st.none() | st.text() | _JSON
)
def test_words_are_found_for_any_data(event_type: EventType, data: dict[str, Any], agent: object) -> None:
    event = an_event(event_type, "QINCIDENT1", data=data or {"id": "Q1"})
    event["event"]["agent"] = agent
    entry = entry_for(json.dumps(event).encode())
    assert entry.summary.startswith(EVENT_RULES[event_type].timeline_text)
    assert "\x00" not in entry.summary


def test_a_reference_without_an_id_names_no_one() -> None:
    nobody = a_reference("user", "", "Robin Reyes")
    event = an_event(EventType.TRIGGERED, "QINCIDENT1", assignees=[nobody, "Robin", None])
    assert entry_for(body_of(event)).summary == "triggered by Robin Reyes"
