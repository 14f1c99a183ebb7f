"""The MCP tool `get_incident_context`, with which agents read a digest of an incident's context."""

from mcp_types import Tool, ToolAnnotations

from calmo_pagerduty.contexts.model import MAX_VERSION, IncidentContext
from calmo_pagerduty.contexts.rendering.digest import context_digest
from calmo_pagerduty.tools.classes import Category

CONTEXT_TOOL = "get_incident_context"
#: The categories whose profiles include the tool.
CONTEXT_CATEGORIES = frozenset({Category.CONTEXT, Category.INCIDENTS})

Json = dict[str, object]


def build_context_tool() -> Tool:
    """Return the MCP description of the tool."""
    return Tool(
        name=CONTEXT_TOOL,
        title="Read an incident's context",
        description="Shows the stored context of an incident: impact, changes and incidents that correlate"
        " with it (correlation proves no cause) and the chance of a coincidence, similar incidents and who"
        " resolved them, whom to involve, who is on call, dependencies, and which sources are incomplete."
        " `more` says where the whole context is.",
        input_schema={
            "type": "object",
            "properties": {
                "incident": {
                    "type": "string",
                    "description": "The PagerDuty incident's id, or the issue's id.",
                },
                "version": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_VERSION,
                    "description": "The version; by default the newest complete version.",
                },
            },
            "required": ["incident"],
            "additionalProperties": False,
        },
        annotations=ToolAnnotations(
            title="Read an incident's context",
            read_only_hint=True,
            idempotent_hint=True,
            open_world_hint=True,
        ),
    )


def build_digest(context: IncidentContext) -> Json:
    return {"state": "done", **context_digest(context)}
