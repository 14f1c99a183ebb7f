"""The MCP tool `act_on_issue`, with which agents act on issues. The authorizer checks it like any write."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import Tool, ToolAnnotations

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTIONS
from calmo_pagerduty.tools.arguments import input_schema
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Category

ACT_TOOL = "act_on_issue"
ACT_CATEGORY = Category.INCIDENTS


def build_action_tool(key_field: Mapping[str, Any], actions: Sequence[Action]) -> Tool:
    """Return the MCP description of the tool with these actions, and no others."""
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for row in (ACTIONS[action] for action in actions):
        schema = input_schema(TOOLS[row.tool])
        properties |= {name: schema["properties"][name] for name in row.allowed_arguments}
        # The properties' `$ref`s start at the root of the schema.
        definitions |= schema.get("$defs", {})
    return Tool(
        name=ACT_TOOL,
        title="Act on an issue",
        description="Acts on an issue's incident in PagerDuty. The issue's timeline shows the action and its"
        " author at once. Actions and their arguments:"
        f" {'; '.join(_describe_action(action) for action in actions)}.",
        input_schema={
            "type": "object",
            "properties": {
                "issue": {"type": "string", "description": "The issue's id, or the PagerDuty incident's id."},
                "action": {"type": "string", "enum": list(actions)},
                "arguments": {"type": "object", "properties": properties, "additionalProperties": False},
                "idempotency_key": dict(key_field),
            },
            "required": ["issue", "action"],
            "additionalProperties": False,
            "$defs": definitions,
        },
        annotations=ToolAnnotations(
            title="Act on an issue",
            read_only_hint=False,
            destructive_hint=True,
            idempotent_hint=False,
            open_world_hint=True,
        ),
    )


def _describe_action(action: Action) -> str:
    arguments = ", ".join(ACTIONS[action].allowed_arguments)
    return f"{action} ({arguments})" if arguments else str(action)
