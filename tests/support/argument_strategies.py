"""Hypothesis strategies for tools' arguments, made from the schemas that callers read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from calmo_pagerduty.tools.arguments import input_schema
from calmo_pagerduty.tools.model import Tool

_BEGIN = datetime(2026, 2, 20, tzinfo=UTC)
_TIMES = st.integers(0, 20 * 24).map(lambda hours: (_BEGIN + timedelta(hours=hours)).isoformat())


def arguments_of(tool: Tool) -> st.SearchStrategy[dict[str, Any]]:
    schema = input_schema(tool)
    return _object(schema, schema.get("$defs", {})).map(_with_times_in_order)


def _with_times_in_order(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a draft's arguments with changes that end after they start, within since and until.

    Drawn apart, the times of a draft are hardly ever in order.
    """
    if "changes" not in arguments:
        return arguments
    changes = []
    for change in arguments["changes"]:
        start, end = sorted((change["start"], change["end"]))
        changes.append({**change, "start": start, "end": end})
    times = [change[name] for change in changes for name in ("start", "end")]
    return {**arguments, "changes": changes, "since": min(times), "until": max(times)}


def _object(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: _field(field, defs) for name, field in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _field(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    schema = defs[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*(_field(choice, defs) for choice in schema["anyOf"]))
    kind = schema["type"]
    if kind == "object":
        return _object(schema, defs)
    if kind == "array":
        return st.lists(_field(schema["items"], defs), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return st.booleans() if kind == "boolean" else _text(schema)


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return _TIMES
    if schema.get("pattern", "").startswith(("^[A-Z", "^[0-9a-f]")) or "A-Z" in schema.get("pattern", ""):
        return st.from_regex(schema["pattern"], fullmatch=True)
    plain = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs", "Z"])
    return st.text(plain, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 40), 40))
