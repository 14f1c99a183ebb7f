"""Parse and validate a tool's arguments, and build the JSON schema that callers read."""

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from calmo_pagerduty.kernel.validation_text import validation_text
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.tools.model import Arguments, Tool

_MAX_ERRORS_SHOWN = 3


class InvalidArguments(ValueError):
    """The arguments don't fit the tool. `str()` names each field and its error; it repeats no value."""


def parse_arguments(tool: Tool, mapping: Mapping[str, Any]) -> Arguments:
    """Return the tool's validated arguments. Raises InvalidArguments."""
    try:
        return tool.arguments.model_validate(dict(mapping))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        messages = list(dict.fromkeys(_describe_error(detail, tool) for detail in details))
        raise InvalidArguments("; ".join(messages[:_MAX_ERRORS_SHOWN])) from None


def _describe_error(detail: ErrorDetails, tool: Tool) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(tool.arguments.model_fields)
        return f"{where[:60]}: {tool.name} has no such argument; it takes: {allowed or 'none'}"
    message = validation_text(detail)
    return f"{where}: {message}" if where else message


@functools.cache
def input_schema(tool: Tool) -> JsonObject:
    """Return the JSON schema of the tool's arguments, without titles and other redundant parts.

    Every call returns the same one, so nobody changes it.
    """
    schema: JsonObject = _shorten(tool.arguments.model_json_schema())
    return schema


def _shorten(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_shorten(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    relevant = {key: value for key, value in schema.items() if not _is_noise(key, value)}
    short = {key: _shorten(value) for key, value in relevant.items()}
    if "properties" in relevant:
        # A field may have a keyword's name, such as `title`.
        short["properties"] = {name: _shorten(field) for name, field in relevant["properties"].items()}
    return _without_null(short)


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, []))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from an optional field: callers leave the field out instead."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest}
