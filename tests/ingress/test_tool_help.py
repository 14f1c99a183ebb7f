"""`tool call NAME --help` tells what the tool takes."""

import shlex

from typer.testing import CliRunner

from calmo_pagerduty.tools.arguments import input_schema, parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from ingress.commands.pairs import parse_pairs
from ingress.commands.tool_help import tool_help
from ingress.commands.tools import app


def test_the_help_of_a_call_knows_the_tool() -> None:
    shown = CliRunner().invoke(app, ["call", "get_incident_timeline", "--help"], color=False)
    assert shown.exit_code == 0
    assert "incident_id  string  (required; The incident's id or number)" in shown.output
    assert "limit        integer  (default 100; How many at most)" in shown.output
    assert "Example: calmo-pagerduty tool call get_incident_timeline incident_id=PT4KHLK" in shown.output
    unknown = CliRunner().invoke(app, ["call", "get_incidnt", "--help"], color=False)
    assert "did you mean get_incident?" in unknown.output


def test_every_tool_has_help_and_nearly_all_an_example_that_parses() -> None:
    without = []
    for name, tool in TOOLS.items():
        shown = tool_help(name)
        assert all(field in shown for field in tool.arguments.model_fields), name
        example = shown.partition(f"tool call {name}")[2]
        given = [part for part in shlex.split(example) if "=" in part]
        if "Example:" in shown:
            parse_arguments(tool, parse_pairs(given, input_schema(tool).get("properties", {})))
        else:
            without.append(name)
    assert len(without) * 5 < len(TOOLS), without
