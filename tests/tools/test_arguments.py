"""A bad argument stops at the edge, with a message that names the field and repeats no value."""

from typing import Any

import pytest

from calmo_pagerduty.tools.arguments import InvalidArguments, input_schema, parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS


def refused(tool: str, **arguments: Any) -> str:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(TOOLS[tool], arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "bad", ["", " ", "null", "None", "undefined", '""', "''", "P1/../x", "P1?x", "é", "P" * 41]
)
def test_what_names_nothing_is_no_id(bad: str) -> None:
    assert refused("get_incident", incident_id=bad).startswith("incident_id: ")


def test_an_id_may_have_space_around_it() -> None:
    assert parse_arguments(TOOLS["get_incident"], {"incident_id": " PABC "}).model_dump() == {
        "incident_id": "PABC"
    }


@pytest.mark.parametrize(
    "bad", ["2026-03-01T09:00:00", "yesterday", "1700000000", 1700000000, "0001-01-01T00:00:00+14:00", True]
)
def test_a_time_needs_its_zone(bad: Any) -> None:
    assert refused("list_incidents", since=bad).startswith("since: ")


def test_a_time_is_sent_in_utc() -> None:
    read = parse_arguments(TOOLS["list_incidents"], {"since": "2026-03-01T09:00:00.5+02:00"})
    assert read.model_dump(mode="json")["since"] == "2026-03-01T07:00:00Z"


def test_an_unknown_argument_is_named_with_the_known_ones() -> None:
    said = refused("get_incident", incident_id="P1", verbose=True)
    assert said == "verbose: get_incident has no such argument; it takes: incident_id"


def test_a_missing_argument_is_named() -> None:
    assert refused("get_alert", incident_id="P1") == "alert_id: it is required"


def test_a_message_repeats_no_value() -> None:
    said = refused("list_users", query="x" * 300, team_ids=["secret person@example.org"])
    assert "query" in said and "team_ids.0" in said
    assert "xxx" not in said and "secret" not in said


@pytest.mark.parametrize("limit", [0, 1001, -1, "many"])
def test_a_limit_is_bounded(limit: Any) -> None:
    assert refused("list_services", limit=limit).startswith("limit: ")


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("list_incidents", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ("list_incidents", {"since": "2025-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ("create_incident", {"title": "a\nb", "service_id": "P1"}, "title"),
        ("create_incident", {"title": "a" * 1025, "service_id": "P1"}, "title"),
        (
            "create_incident",
            {"title": "a", "service_id": "P1", "assignee_id": "P2", "escalation_policy_id": "P3"},
            "assignee_id",
        ),
        ("add_incident_note", {"incident_id": "P1", "content": "x" * 25_001}, "content"),
        ("add_incident_note", {"incident_id": "P1", "content": "\x1b[31m"}, "content"),
        ("update_incident", {"incident_id": "P1", "reopen": True}, "status"),
        ("update_incident", {"incident_id": "P1", "status": "closed"}, "status"),
        ("update_incident", {"incident_id": "P1", "status": "triggered", "resolution": "x"}, "resolution"),
        ("merge_incidents", {"incident_id": "P1", "source_incident_ids": ["P1"]}, "source_incident_ids"),
        ("publish_status_update", {"incident_id": "P1", "message": "x", "subject": "y"}, "subject"),
        ("update_escalation_policy", {"escalation_policy_id": "P1", "rules": []}, "name"),
        ("update_schedule", {"schedule_id": "P1"}, "name"),
        ("update_schedule", {"schedule_id": "P1", "name": "x", "part_id": "P2"}, "part_id"),
        (
            "create_schedule_override",
            {
                "schedule_id": "P1",
                "user_id": "P2",
                "start": "2026-03-02T00:00:00Z",
                "end": "2026-03-02T00:00:00Z",
            },
            "end",
        ),
        (
            "get_analytics_data",
            {"subject": "raw_incidents", "escalation_policy_ids": ["P1"]},
            "escalation_policy_ids",
        ),
        ("get_analytics_data", {"subject": "responders", "aggregate_unit": "day"}, "aggregate_unit"),
        ("list_change_events", {"incident_id": "P1", "service_id": "P2"}, "incident_id"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tool: str, arguments: dict[str, Any], field: str) -> None:
    assert refused(tool, **arguments).startswith(f"{field}: ")


def test_a_schema_keeps_a_field_that_is_named_as_a_keyword_is() -> None:
    schema = input_schema(TOOLS["create_incident"])
    assert schema["properties"]["title"]["maxLength"] == 1024
    assert "title" not in schema


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("request_responders", {"incident_id": "P1", "message": "x", "targets": []},
         "targets: give at least 1 entry"),
        ("get_user", {"user_id": " "}, "user_id: give an id: letters, digits, - and _, at most 40"),
        ("list_incidents", {"statuses": "triggered"}, "statuses: give a list"),
        ("list_incidents", {"limit": 0}, "limit: give 1 or more"),
        ("list_incidents", {"limit": "many"}, "limit: give a whole number"),
        ("list_incidents", {"urgencies": ["huge"]}, "urgencies.0: give one of 'high' or 'low'"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_told_in_plain_words(tool: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArguments) as wrong:
        parse_arguments(TOOLS[tool], arguments)
    assert str(wrong.value) == told


def test_a_repeated_id_is_asked_for_once() -> None:
    arguments = parse_arguments(TOOLS["list_incidents"], {"service_ids": ["P2", "P1", "P2"]})
    assert arguments.model_dump()["service_ids"] == ("P2", "P1")
