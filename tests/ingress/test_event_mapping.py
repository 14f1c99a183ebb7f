"""From PagerDuty's payloads to what the door notes of them: each known type, and whatever else comes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.deliveries.event_facts import facts_json, is_about_an_incident, is_ping, is_unknown_type
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.timeline import event_entry
from calmo_pagerduty.pagerduty.event_types import EVENT_RULES, EventType, IncidentStatus, IssueAction, rule_of
from calmo_pagerduty.pagerduty.webhook_events import UnreadableBody, WebhookEvent, is_legacy, parse_event
from tests.support.builders import NOON, a_reference, body_of, incident_data
from tests.support.examples import examples

INCIDENT = "QINCIDENT00001"
THE_INCIDENT = a_reference("incident", INCIDENT, "Basket service answers slowly")
A_USER = a_reference("user", "PUSER1", "Robin Reyes")

#: PagerDuty's own examples, where they are at hand: they may not be copied into this project.
PUBLISHED = Path(__file__).parents[3] / "shared" / "pagerduty" / "webhooks"


def about(kind: str, **fields: Any) -> dict[str, Any]:
    """Data that only refers to its incident; its own id is another thing's."""
    return {"id": "POTHERTHING", "type": kind, "incident": THE_INCIDENT, **fields}


ROLE = {
    "type": "incident_role_assignment",
    "incident_role_assignments": [
        {"id": "b9f1", "type": "role_assignment_reference", "assignee": None},
        {"id": "af64", "type": "role_assignment_reference", "assignee": A_USER, "incident": THE_INCIDENT,
         "old_assignee": None, "role": {"id": "PROLE1", "summary": "Commander"}, "status": "active"},
    ],
}  # fmt: skip
SERVICE = {**a_reference("service", "PSERVICE1", "Basket"), "type": "service", "teams": []}
TASK = about("incident_task", name="Warm the cache", status="todo", assignees=[A_USER])
ACTION = about(
    "incident_action_invocation", action=a_reference("action", "PACTION1", "Restart"), state="sent"
)
MAJOR = a_reference("workflow", "PFLOW1", "Major incident")
RUN = about("incident_workflow_instance", incident_workflow=MAJOR, workflow_trigger=None, service=SERVICE)
RESPONDER = about("incident_responder", user=A_USER, escalation_policy=None, message="help", state="pending")

#: Types whose data is not the incident itself.
OWN_DATA: dict[EventType, dict[str, Any]] = {
    EventType.ANNOTATED: about("incident_note", content="Rolled back", trimmed=False),
    EventType.STATUS_UPDATE_PUBLISHED: about("incident_status_update", message="Better", trimmed=False),
    EventType.RESPONDER_ADDED: RESPONDER,
    EventType.RESPONDER_REPLIED: RESPONDER | {"state": "accepted"},
    EventType.CONFERENCE_BRIDGE_UPDATED: about(
        "incident_conference_bridge", conference_numbers=[{"label": "", "number": "+1"}], conference_url=None
    ),
    EventType.CUSTOM_FIELD_VALUES_UPDATED: about(
        "incident_field_values", custom_fields=[], changed_custom_fields=[]
    ),
    EventType.ROLE_ASSIGNED: ROLE,
    EventType.TASK_CREATED: TASK,
    EventType.TASK_UPDATED: TASK,
    EventType.TASK_COMPLETED: TASK,
    EventType.ACTION_INVOCATION_CREATED: ACTION,
    EventType.ACTION_INVOCATION_UPDATED: ACTION,
    EventType.ACTION_INVOCATION_TERMINATED: ACTION,
    EventType.WORKFLOW_STARTED: RUN,
    EventType.WORKFLOW_COMPLETED: RUN,
    EventType.SERVICE_CREATED: SERVICE,
    EventType.SERVICE_SETTINGS_UPDATED: SERVICE,
    EventType.SERVICE_DELETED: SERVICE,
    EventType.SERVICE_CUSTOM_FIELD_VALUES_UPDATED: {
        "type": "service_field_values", "service": SERVICE, "custom_fields": [], "changed_custom_fields": []
    },
    EventType.PING: {"type": "ping", "message": "Hello from your friend Pagey!"},
}  # fmt: skip
SHOWS_INCIDENT = [kind for kind in EventType if kind not in OWN_DATA]
WITHOUT_INCIDENT = [kind for kind in EventType if not kind.startswith("incident.")]


def parsed(event_type: str, data: Any = None, **envelope: Any) -> WebhookEvent:
    event = {
        "id": "01EVENT",
        "event_type": event_type,
        "resource_type": event_type.partition(".")[0],
        "occurred_at": NOON.isoformat(),
        "agent": A_USER,
        "client": None,
        "data": data,
        **envelope,
    }
    found = parse_event(body_of({"event": event}))
    assert isinstance(found, WebhookEvent)
    return found


def test_every_event_type_has_one_row_and_there_are_thirty_and_a_ping() -> None:
    assert set(EVENT_RULES) == set(EventType)
    assert len(EventType) == 31


def test_the_products_table_of_actions_holds() -> None:
    wanted = {
        IssueAction.CREATE: {"triggered", "escalated", "responder.added", "priority_updated"},
        IssueAction.RESOLVE: {"resolved"},
        IssueAction.ACKNOWLEDGE: {"acknowledged"},
        IssueAction.UPDATE: {"annotated", "delegated", "reassigned", "responder.replied"},
        IssueAction.REOPEN: {"reopened", "unacknowledged"},
    }
    for action, names in wanted.items():
        assert {kind for kind in EventType if rule_of(kind).action is action} == {
            f"incident.{name}" for name in names
        }


@pytest.mark.parametrize("event_type", [kind for kind in EventType if kind not in WITHOUT_INCIDENT])
def test_the_incident_is_found_where_the_datas_type_puts_it(event_type: EventType) -> None:
    event = parsed(event_type, OWN_DATA.get(event_type) or incident_data(INCIDENT))
    assert event.incident_id == INCIDENT
    assert event.incident_title == "Basket service answers slowly"
    assert is_about_an_incident(event)
    assert (event.snapshot is not None) is (event_type in SHOWS_INCIDENT)


@pytest.mark.parametrize("event_type", WITHOUT_INCIDENT)
def test_an_event_about_no_incident_has_no_incident(event_type: EventType) -> None:
    event = parsed(event_type, OWN_DATA[event_type])
    assert (event.incident_id, event.snapshot) == (None, None)
    assert not is_about_an_incident(event)
    assert is_ping(event) is (event_type is EventType.PING)


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_makes_a_timeline_entry_in_words(event_type: EventType) -> None:
    event = parsed(event_type, OWN_DATA.get(event_type) or incident_data(INCIDENT))
    fact = EventFacts.model_validate({"seq": 1, **json.loads(facts_json(event, NOON))})
    entry = event_entry(fact, event, moved=False)
    assert entry.summary.startswith(f"{rule_of(event_type).timeline_text} by Robin Reyes")
    assert entry.actor is not None
    assert not is_unknown_type(event)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="PagerDuty's published examples are not at hand")
def test_each_published_example_gives_its_incident() -> None:
    index = json.loads((PUBLISHED / "index.json").read_text())
    assert set(index) == set(EventType)
    for event_type, row in index.items():
        body = (PUBLISHED / row["file"]).read_bytes()
        event = parse_event(body)
        assert isinstance(event, WebhookEvent), event_type
        assert event.event_type == event_type
        assert event.incident_id == follow(json.loads(body), row["incident_id_path"]), event_type
        assert event.occurred_at is not None
        assert (event.snapshot is not None) is (row["data_type"] == "incident"), event_type


def follow(value: Any, path: str | None) -> Any:
    for step in path.split(".") if path else ():
        value = value[step.removesuffix("[*]")]
        value = value[0] if step.endswith("[*]") else value
    return value if path else None


def test_the_status_comes_from_the_type_and_else_from_the_data() -> None:
    late = incident_data(INCIDENT, "resolved")
    assert parsed(EventType.ACKNOWLEDGED, late).status is IncidentStatus.ACKNOWLEDGED
    assert parsed(EventType.REOPENED, incident_data(INCIDENT, "acknowledged")).status == "acknowledged"
    assert parsed(EventType.ESCALATED, incident_data(INCIDENT, "on fire")).status is None
    assert parsed(EventType.ANNOTATED, OWN_DATA[EventType.ANNOTATED]).status is None


def test_a_new_type_of_incident_event_is_recorded_on_its_incident() -> None:
    event = parsed("incident.teleported", about("incident_teleport", to="the moon"))
    assert (event.incident_id, is_unknown_type(event)) == (INCIDENT, True)
    assert rule_of(event.event_type).action is IssueAction.RECORD
    assert is_about_an_incident(event)


def test_a_new_type_about_something_else_is_only_kept() -> None:
    event = parsed("team.created", {"id": INCIDENT, "type": "team"})
    assert (event.incident_id, is_about_an_incident(event)) == (None, False)


@pytest.mark.parametrize("odd", ["", "Q-1", "Q/../1", "Q" * 65, "Q\n", 7, None, {}, ["Q1"]])
def test_an_incident_id_that_is_none_of_pagerdutys_names_no_incident(odd: Any) -> None:
    event = parsed(EventType.TRIGGERED, incident_data(INCIDENT, id=odd))
    assert event.incident_id is None


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://shop.pagerduty.com/x",
        "https://[",
        7,
        "https://pagerduty.com.evil.test/",
        "https://evilpagerduty.com/",
    ],
)
def test_a_link_that_does_not_lead_to_pagerduty_is_left_out(link: Any) -> None:
    event = parsed(EventType.TRIGGERED, incident_data(INCIDENT, html_url=link))
    assert event.snapshot is not None
    assert event.snapshot.url is None


def test_deeply_nested_text_makes_an_entry_without_it() -> None:
    nested: Any = "deep"
    for _ in range(200):
        nested = [nested]
    for data in (about("incident_note", content=nested), about("incident_task", name={"x": nested})):
        for event_type in (EventType.ANNOTATED, EventType.TASK_CREATED):
            event = parsed(event_type, data)
            fact = EventFacts.model_validate({"seq": 1, **json.loads(facts_json(event, NOON))})
            assert "[[" not in event_entry(fact, event, moved=False).summary


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(INCIDENT),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["id", "type", "incident", "summary", "status", "priority", "assignees", "number",
                         "html_url", "incident_role_assignments", "created_at", "resolve_reason"])
        | st.text(max_size=5),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_raise(body: bytes) -> None:
    assert isinstance(parse_event(body), WebhookEvent | UnreadableBody)
    assert is_legacy(body) in (True, False)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from([*EventType, "incident.new", ""]) | JSON,
    JSON,
    JSON,
    JSON,
    st.sampled_from(["01E", "\ud800"]) | JSON,
)
def test_whatever_an_event_holds_becomes_facts_and_a_timeline_entry(
    event_type: Any, data: Any, agent: Any, occurred_at: Any, event_id: Any
) -> None:
    payload = {
        "event": {
            "id": event_id,
            "event_type": event_type,
            "agent": agent,
            "data": data,
            "occurred_at": occurred_at,
            "resource_type": "incident",
        }
    }
    event = parse_event(json.dumps(payload).encode())
    if isinstance(event, UnreadableBody):
        return
    fact = EventFacts.model_validate({"seq": 1, **json.loads(facts_json(event, NOON))})
    entry = event_entry(fact, event, moved=False)
    assert "\x00" not in entry.summary
    entry.summary.encode("utf-8")
