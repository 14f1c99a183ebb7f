"""The text of an MCP tool's answer."""

from mcp.types import CallToolResult, TextContent


def text_of(answer: CallToolResult) -> str:
    """Return the first text of an answer. Raises AssertionError when it begins with something else."""
    first = answer.content[0]
    assert isinstance(first, TextContent)
    return first.text
