"""`get_incident_context`: one tool by which agents read what is known around an incident, in a small form."""

from mcp_types import Tool, ToolAnnotations

from calmo_pagerduty.contexts.model import MAX_VERSION, IncidentContext
from calmo_pagerduty.contexts.rendering.digest import context_digest
from calmo_pagerduty.tools.classes import Category

CONTEXT_TOOL = "get_incident_context"
#: The profiles that it belongs to.
CONTEXT_CATEGORIES = frozenset({Category.CONTEXT, Category.INCIDENTS})

Json = dict[str, object]


def build_context_tool() -> Tool:
    """Return the tool as MCP knows it."""
    return Tool(
        name=CONTEXT_TOOL,
        title="Read an incident's context",
        description="What is known around an incident, gathered already: impact, what it correlates with"
        " (never proven) and how likely that is by chance, incidents like it and who resolved them, whom to"
        " involve, who is on call, dependencies, and what could not be read. `more` says where the whole is.",
        input_schema={
            "type": "object",
            "properties": {
                "incident": {"type": "string", "description": "The PagerDuty incident's id, or the issue's."},
                "version": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_VERSION,
                    "description": "Without it the newest that is complete.",
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
