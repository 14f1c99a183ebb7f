"""Generate the page `docs/tools.md` from the catalogue's rows, so that it is always up to date."""

from collections.abc import Mapping

from calmo_pagerduty.tools.classes import Category
from calmo_pagerduty.tools.model import Tool

HEADINGS: Mapping[Category, str] = {
    Category.INCIDENTS: "Incident management",
    Category.SERVICES: "Services",
    Category.ESCALATION: "Escalation policies",
    Category.ON_CALL: "On-call scheduling",
    Category.USERS: "Users",
    Category.ANALYTICS: "Analytics and reporting",
    Category.CONTEXT: "Context",
}

_INTRODUCTION = """\
# Tools

Every PagerDuty tool: reads are on by default, writes are off. Required arguments are bold.
A write is safe to repeat: it first looks for the effect of an earlier attempt.
"""


def tools_markdown(tools: Mapping[str, Tool]) -> str:
    """Return the page: a section per category, a line per tool."""
    sections = [_section(category, tools) for category in Category]
    return "\n".join([_INTRODUCTION, *(section for section in sections if section)])


def _section(category: Category, tools: Mapping[str, Tool]) -> str:
    rows = [_row(tool) for tool in tools.values() if tool.category is category]
    if not rows:
        return ""
    heads = ("Tool", "What it does", "Access", "Risk", "Arguments")
    lines = [f"## {HEADINGS[category]}", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows]
    return "\n".join(lines) + "\n"


def _row(tool: Tool) -> str:
    fields = tool.arguments.model_fields.items()
    arguments = ", ".join(f"**`{name}`**" if field.is_required() else f"`{name}`" for name, field in fields)
    cells = (f"`{tool.name}`", tool.description, tool.access.value, tool.risk.value, arguments or "none")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
