"""What others hold on to is as it was, or more: REST, MCP, the command line, settings, Temporal's names,
tables, metrics. `recorded/` holds it as it was; `pytest tests/contracts --record-contracts` records it anew.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.compatibility import (
    command_problems,
    openapi_problems,
    removed_or_changed,
    setting_problems,
    tool_problems,
)
from tests.contracts.documents import Contracts

RECORDED = Path(__file__).parent / "recorded"
COMPARED_BY: Mapping[str, Callable[[Any, Any], list[str]]] = {
    "openapi": openapi_problems,
    "permissions": removed_or_changed,
    "mcp_tools": tool_problems,
    "command_line": command_problems,
    "simulator_command_line": command_problems,
    "environment": setting_problems,
    "temporal": removed_or_changed,
    "tables": removed_or_changed,
    "metrics": removed_or_changed,
}


def _in_lines(value: Any, depth: int = 0) -> str:
    """As JSON: the outer three levels a line each, so that a change is seen in a small diff."""
    if depth == 3 or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    rows = (f"{json.dumps(name)}: {_in_lines(inner, depth + 1)}" for name, inner in sorted(value.items()))
    margin = " " * depth
    return "{\n" + ",\n".join(f"{margin} {row}" for row in rows) + f"\n{margin}}}"


async def test_nothing_that_others_hold_on_to_is_gone_or_narrower(
    today: Contracts, request: pytest.FixtureRequest
) -> None:
    assert set(today) == set(COMPARED_BY)
    problems = {}
    for subject, document in today.items():
        file = RECORDED / f"{subject}.json"
        if request.config.getoption("--record-contracts", default=False):
            file.write_text(f"{_in_lines(document)}\n")
        problems[subject] = COMPARED_BY[subject](json.loads(file.read_text()), document)
    assert {subject: found for subject, found in problems.items() if found} == {}


async def test_every_reference_in_a_tools_schema_leads_somewhere(today: Contracts) -> None:
    for name, tool in today["mcp_tools"].items():
        schema = tool["inputSchema"]
        wanted = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
        assert wanted <= set(schema.get("$defs", {})), name
