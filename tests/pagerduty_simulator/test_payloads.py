"""The shape of every payload, against the documented field lists and, if there, the examples."""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pagerduty_simulator import payloads
from pagerduty_simulator.event_types import DATA_TYPES, EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.every_event_scenario import EVERY_EVENT
from pagerduty_simulator.scenarios import events_of
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.storms import STORM_BEGINS_AT

EXAMPLES = Path(__file__).parents[3] / "shared" / "pagerduty" / "webhooks"

# Source: PagerDuty's Webhooks V3 documentation, "Event data types".
FIELDS = {
    "incident": "id type self html_url number status incident_key created_at title incident_type "
    "service assignees escalation_policy teams priority urgency conference_bridge resolve_reason",
    "incident_note": "incident id content trimmed type",
    "incident_status_update": "incident id message trimmed type",
    "incident_responder": "incident user escalation_policy message state type",
    "incident_conference_bridge": "incident conference_numbers conference_url type",
    "incident_field_values": "incident custom_fields changed_custom_fields type",
    "incident_role_assignment": "incident_role_assignments type",
    "incident_task": "name description id summary type status assignees incident",
    "incident_action_invocation": "id self html_url incident action state type",
    "incident_workflow_instance": "id type summary incident_workflow workflow_trigger incident service",
    "service": "html_url id self summary alert_creation teams type",
    "service_field_values": "service custom_fields changed_custom_fields type",
    "ping": "message type",
}

EVENTS = events_of(EVERY_EVENT, seed=11, begins_at=STORM_BEGINS_AT)


def envelope_of(event: Event) -> Any:
    return json.loads(event.body)["event"]


def event_of(event_type: EventType) -> Event:
    return next(event for event in EVENTS if event.event_type is event_type)


def differences(example: Any, ours: Any, path: str = "") -> list[str]:
    """Return where the two have other keys or kinds of values; null fits everything."""
    if example is None or ours is None:
        return []
    if isinstance(example, dict) and isinstance(ours, dict):
        found = [f"{path}/{key}" for key in sorted(set(example) ^ set(ours))]
        for key in set(example) & set(ours):
            found += differences(example[key], ours[key], f"{path}/{key}")
        return found
    if isinstance(example, list) and isinstance(ours, list):
        return differences(example[0], ours[0], f"{path}[]") if example and ours else []
    return [] if type(example) is type(ours) else [f"{path}: {type(example)} {type(ours)}"]


def test_every_documented_event_type_can_be_produced() -> None:
    assert {event.event_type for event in EVENTS} == set(EventType)
    assert len(EventType) == 31


@pytest.mark.parametrize("event_type", EventType)
def test_the_data_has_its_documented_type_and_fields(event_type: EventType) -> None:
    data = envelope_of(event_of(event_type))["data"]
    assert data["type"] == DATA_TYPES[event_type]
    assert set(data) - {"reopened_at"} == set(FIELDS[data["type"]].split())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_type)
def test_the_envelope_has_its_documented_fields_and_forms(event: Event) -> None:
    envelope = envelope_of(event)
    assert set(envelope) == {
        "id",
        "event_type",
        "resource_type",
        "occurred_at",
        "agent",
        "client",
        "data",
    }
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", envelope["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", envelope["occurred_at"])
    assert envelope["resource_type"] == event.event_type.split(".")[0]
    assert envelope["client"] is None


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_type)
def test_the_incident_is_named_where_the_documentation_says(event: Event) -> None:
    data = envelope_of(event)["data"]
    if data["type"] == "incident":
        found = data["id"]
    elif data["type"] == "incident_role_assignment":
        found = data["incident_role_assignments"][0]["incident"]["id"]
    else:
        found = data.get("incident", {}).get("id")
    assert found == event.incident_id
    assert found is None or re.fullmatch("Q[0-9A-Z]{13}", found)


@pytest.mark.parametrize("event_type", EventType)
def test_the_shape_is_that_of_the_published_example(event_type: EventType) -> None:
    files = sorted(EXAMPLES.glob(f"{event_type}*.json"))
    if not files:
        pytest.skip("the published examples are not on this machine")
    example = json.loads(files[0].read_text())["event"]
    found = differences(example, envelope_of(event_of(event_type)))
    # Present once reopened, and newer than one of the two verbatim examples; a ping's agent has
    # been seen shortened; a role has no links.
    allowed = {"/data/reopened_at", "/data/incident_type", "/agent/html_url", "/agent/self"}
    allowed |= {"/agent/summary"}
    assert set(found) <= allowed


def test_a_moment_is_written_in_utc_whatever_its_zone() -> None:
    at = datetime(2026, 3, 1, 1, 2, 3, 456_789, tzinfo=timezone(timedelta(hours=2)))
    assert payloads.wire_milliseconds(at) == "2026-02-28T23:02:03.456Z"
    assert payloads.wire_seconds(at) == "2026-02-28T23:02:03Z"


def test_a_long_note_is_trimmed_and_says_so() -> None:
    noted = event_of(EventType.ANNOTATED)
    assert envelope_of(noted)["data"]["trimmed"] is False
    account = online_shop(now=lambda: STORM_BEGINS_AT, seed=1)
    (opened,) = account.trigger(next(iter(account.services)), "Long story")
    assert opened.incident_id is not None
    (event,) = account.annotate(opened.incident_id, "ä" * 20_000)
    data = envelope_of(event)["data"]
    assert data["trimmed"] is True
    assert len(data["content"]) == payloads.MAX_TEXT_CHARACTERS
    assert len(event.body) < 55 * 1024


def test_text_is_sent_as_utf_8_and_not_escaped() -> None:
    assert payloads.serialise({"title": "Größe ≥ 3 ☃"}) == '{"title":"Größe ≥ 3 ☃"}'.encode()
