"""The help of `tool call NAME`: the tool's arguments, their types and an example."""

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from ingress.commands.output import echo_text

if TYPE_CHECKING:
    from calmo_pagerduty.tools.model import Tool

_NAME_KEY = "calmo.tool"


class ToolCallCommand(TyperCommand):
    """`tool call`. With a tool's name, `--help` tells of that tool too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Help is shown before any argument is parsed.
        ctx.meta[_NAME_KEY] = next((text for text in args if not text.startswith("-")), None)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        if name := ctx.meta.get(_NAME_KEY):
            echo_text(tool_help(name))


def tool_help(name: str) -> str:
    """Return the help of a tool, or which tool was meant."""
    from calmo_pagerduty.kernel.nearest_name import nearest_hint  # noqa: PLC0415 - only help needs it
    from calmo_pagerduty.tools.arguments import input_schema  # noqa: PLC0415 - imports pydantic
    from calmo_pagerduty.tools.catalogue import TOOLS  # noqa: PLC0415 - imports pydantic

    tool = TOOLS.get(name)
    if tool is None:
        return f"There is no tool {name!r}{nearest_hint(name, TOOLS)}"
    schema = input_schema(tool)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    rows = [(field, _type_text(part, schema), field in required, part) for field, part in properties.items()]
    width = max((len(field) for field, *_ in rows), default=0)
    lines = [
        f" {name}: {tool.description}",
        f" It {'changes' if tool.writes else 'only reads'}: risk {tool.risk}.",
        "",
    ]
    lines += [f"   {field:<{width}}  {kind}{_remarks(part, needed)}" for field, kind, needed, part in rows]
    given = " ".join(f"{field}={_example(part, schema)}" for field, _, needed, part in rows if needed)
    optional = next((f"{f}={_example(p, schema)}" for f, _, needed, p in rows if not needed), "")
    for example in (given, f"{given} {optional}".strip()):
        if _is_accepted(tool, example, properties):
            command = f"calmo-pagerduty tool call {name} {example or optional}".rstrip()
            return "\n".join([*lines, "", f" Example: {command}", ""])
    return "\n".join([*lines, "", " All as JSON on standard input: --arguments-stdin", ""])


def _is_accepted(tool: "Tool", example: str, properties: Mapping[str, Any]) -> bool:
    from calmo_pagerduty.tools.arguments import InvalidArguments, parse_arguments  # noqa: PLC0415 - imports pydantic
    from ingress.commands.pairs import InvalidArgument, parse_pairs  # noqa: PLC0415 - only help needs it

    try:
        parse_arguments(tool, parse_pairs(shlex.split(example), properties))
    except (InvalidArguments, InvalidArgument):
        return False
    return True


def _remarks(part: Mapping[str, Any], needed: bool) -> str:
    default = part.get("default")
    remarks = [
        "required" if needed else "",
        f"default {json.dumps(default)}" if default not in (None, [], "") else "",
        str(part.get("description", "")),
    ]
    shown = "; ".join(remark for remark in remarks if remark)
    return f"  ({shown.rstrip('.')})" if shown else ""


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in part:
        return _resolved(part["anyOf"][0], schema)
    name = str(part.get("$ref", "")).rsplit("/", 1)[-1]
    resolved: Mapping[str, Any] = schema.get("$defs", {}).get(name, part)
    return resolved


def _type_text(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    part = _resolved(part, schema)
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    if part.get("type") == "array":
        return f"{_type_text(part.get('items', {}), schema)}, …"
    return "time" if part.get("format") == "date-time" else str(part.get("type", "JSON"))


def _example(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    part = _resolved(part, schema)
    if "enum" in part:
        return str(part["enum"][0])
    if part.get("type") == "array":
        item = _resolved(part.get("items", {}), schema)
        return f"'[{_example(item, schema)}]'" if item.get("type") == "object" else _example(item, schema)
    if part.get("type") == "object":
        fields = part.get("properties", {}).items()
        needed = part.get("required", [])
        return json.dumps({name: _example(field, schema) for name, field in fields if name in needed})
    if part.get("format") == "date-time":
        return "2026-03-01T09:00:00Z"
    known = {"integer": str(part.get("minimum", 1)), "boolean": "true", "number": "1"}
    return known.get(str(part.get("type")), "PT4KHLK" if "A-Z" in part.get("pattern", "") else "'…'")
