"""From what a caller sends to a tool's arguments, and from arguments to the schema that a caller reads."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.tools.model import Arguments, Tool

_MAX_ERRORS_SHOWN = 3


class InvalidArguments(ValueError):
    """The arguments don't fit the tool. `str()` names each field and what is wrong; it repeats no value."""


def parse_arguments(tool: Tool, mapping: Mapping[str, Any]) -> Arguments:
    """Return the tool's arguments. Raises BadArguments."""
    try:
        return tool.arguments.model_validate(dict(mapping))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        said = list(dict.fromkeys(_describe_error(detail, tool) for detail in details))
        raise InvalidArguments("; ".join(said[:_MAX_ERRORS_SHOWN])) from None


def _describe_error(detail: ErrorDetails, tool: Tool) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = ", ".join(tool.arguments.model_fields)
        return f"{where[:60]}: {tool.name} has no such argument; it takes: {known or 'none'}"
    if detail["type"] == "missing":
        return f"{where}: it is required"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def input_schema(tool: Tool) -> JsonObject:
    """Return the JSON schema of the tool's arguments, as short as it can be said."""
    schema: JsonObject = _shorten(tool.arguments.model_json_schema())
    return schema


def _shorten(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_shorten(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not _is_noise(key, value)}
    short = {key: _shorten(value) for key, value in kept.items()}
    if "properties" in kept:
        # A field may be named as a keyword is: `title`.
        short["properties"] = {name: _shorten(field) for name, field in kept["properties"].items()}
    return _without_null(short)


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, []))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional field may be left out; that null says the same needs no words."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest}
