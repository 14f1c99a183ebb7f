"""The text of an MCP tool's answer."""

import json
from typing import Any

from mcp.types import CallToolResult, TextContent


def text_of(answer: CallToolResult) -> str:
    """Return the first text of an answer. Raises AssertionError when it begins with something else."""
    first = answer.content[0]
    assert isinstance(first, TextContent)
    return first.text


def data_of(answer: CallToolResult) -> Any:
    """Return the answer's only copy, which is JSON."""
    assert len(answer.content) == 1 and answer.structured_content is None
    return json.loads(text_of(answer))
