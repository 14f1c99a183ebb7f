"""The catalogue is whole: every tool is described, placed, and within its limits."""

import json
import re

import pytest

from calmo_pagerduty.tools.arguments import input_schema
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.documentation import HEADINGS, tools_markdown
from calmo_pagerduty.tools.model import Shape, Tool

EVERY = pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)

#: What the product promises: the tools of each category, and the risk of those that write.
PROMISED = {
    Category.INCIDENTS: {
        "list_incidents", "get_incident", "get_incident_timeline", "list_incident_notes", "list_alerts",
        "get_alert", "create_incident", "update_incident", "resolve_incident", "add_incident_note",
        "snooze_incident", "merge_incidents", "publish_status_update", "request_responders",
    },
    Category.SERVICES: {
        "list_services", "get_service", "list_service_dependencies", "get_service_metrics",
        "add_service_dependency",
    },
    Category.ESCALATION: {
        "list_escalation_policies", "get_escalation_policy", "create_escalation_policy",
        "update_escalation_policy",
    },
    Category.ON_CALL: {
        "list_schedules", "get_schedule", "list_on_call_users", "list_schedule_overrides",
        "create_schedule_override", "update_schedule", "apply_schedule_draft", "add_schedule_rotation",
    },
    Category.USERS: {
        "list_users", "get_user", "list_contact_methods", "get_user_on_call_status", "list_teams",
        "list_team_members",
    },
    Category.ANALYTICS: {"get_analytics_data", "list_log_entries", "generate_report"},
    Category.CONTEXT: {
        "get_past_incidents", "get_related_incidents", "get_outlier_incident", "list_change_events",
        "list_priorities", "list_business_service_impacts", "list_maintenance_windows",
    },
}  # fmt: skip
HIGH = {
    "create_incident", "create_escalation_policy", "update_escalation_policy", "create_schedule_override",
    "update_schedule", "apply_schedule_draft", "add_schedule_rotation", "add_service_dependency",
}  # fmt: skip


def test_every_promised_tool_is_there_in_its_category() -> None:
    found = {category: {t.name for t in TOOLS.values() if t.category is category} for category in Category}
    assert found == PROMISED


def test_reading_is_of_low_risk_and_only_reading_is() -> None:
    assert {t.name for t in TOOLS.values() if t.access is Access.READ} == {
        t.name for t in TOOLS.values() if t.risk is Risk.LOW
    }


def test_creating_incidents_and_changing_policies_and_schedules_is_of_high_risk() -> None:
    assert {t.name for t in TOOLS.values() if t.risk is Risk.HIGH} == HIGH


@EVERY
def test_a_tool_is_described(tool: Tool) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", tool.name)
    assert tool.title and tool.columns and tool.operations and tool.scopes
    assert 20 <= len(tool.description) <= 300
    assert tool.description.endswith(".")


@EVERY
def test_a_tool_that_writes_says_what_it_changes(tool: Tool) -> None:
    verbs = r"^(Adds|Asks|Changes|Creates|Moves|Resolves|Sends|Snoozes)\b"
    assert bool(re.match(verbs, tool.description)) is (tool.access is Access.WRITE)
    assert tool.access is Access.WRITE or not tool.destructive
    assert tool.access is Access.WRITE or not any(scope.endswith("s.write") for scope in _other(tool))


def _other(tool: Tool) -> list[str]:
    """PagerDuty wants analytics.write for reading analytics."""
    return [scope for scope in tool.scopes if scope != "analytics.write"]


@EVERY
def test_a_tool_takes_bounded_arguments_and_refuses_others(tool: Tool) -> None:
    schema = input_schema(tool)
    assert schema["additionalProperties"] is False
    for name, field in schema.get("properties", {}).items():
        kind = field.get("type")
        bounded = "enum" in field or "pattern" in field or "format" in field
        assert kind != "integer" or {"minimum", "maximum"} <= set(field), name
        assert kind != "array" or "maxItems" in field, name
        assert kind != "string" or bounded or "maxLength" in field, name


@EVERY
def test_a_list_can_be_gone_on_with_if_it_is_limited(tool: Tool) -> None:
    fields = tool.arguments.model_fields
    if "after" in fields:
        assert "limit" in fields
        assert tool.shape is Shape.LIST


def test_the_schemas_of_all_reading_tools_are_small() -> None:
    described = [
        {"name": tool.name, "description": tool.description, "inputSchema": input_schema(tool)}
        for tool in TOOLS.values()
        if tool.access is Access.READ
    ]
    assert len(json.dumps(described)) < 35_000


def test_the_page_lists_every_tool_once_in_its_category() -> None:
    page = tools_markdown(TOOLS)
    assert set(HEADINGS) == set(Category)
    for tool in TOOLS.values():
        section = page.split(f"## {HEADINGS[tool.category]}\n")[1].split("\n## ")[0]
        assert section.count(f"| `{tool.name}` |") == page.count(f"| `{tool.name}` |") == 1
    assert "**`incident_id`**" in page
    assert "`limit`" in page and "**`limit`**" not in page
