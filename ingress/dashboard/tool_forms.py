"""A form for the arguments of a tool, from its JSON schema, and the arguments from what the form sends."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from calmo_pagerduty.tools.arguments import InvalidArguments

PREFIX = "arg."


class ArgumentField(NamedTuple):
    """A field of the form. `kind`: text, number, choice, yes_no, list (commas between) or json."""

    name: str
    kind: str
    choices: Sequence[str]
    is_required: bool
    hint: str
    #: What was entered; empty if nothing was.
    entered: str


def argument_fields(schema: Mapping[str, Any], given: Mapping[str, str]) -> Sequence[ArgumentField]:
    """Return the fields of a schema, the required ones first, with what was entered as `arg.NAME`."""
    required = schema.get("required", [])
    fields = [
        ArgumentField(
            name,
            _kind(part),
            part.get("enum", ()),
            name in required,
            _hint(part),
            given.get(PREFIX + name, ""),
        )
        for name, part in schema.get("properties", {}).items()
    ]
    return sorted(fields, key=lambda field: not field.is_required)


def arguments_from(fields: Sequence[ArgumentField]) -> dict[str, Any]:
    """Return the arguments of what was entered; empty fields are left out. Raises InvalidArguments."""
    return {field.name: _value(field) for field in fields if field.entered.strip()}


def _kind(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return "choice"
    kind = part.get("type")
    if kind == "array":
        return "list" if part.get("items", {}).get("type") == "string" else "json"
    return {"integer": "number", "boolean": "yes_no", "string": "text"}.get(str(kind), "any")


def _hint(part: Mapping[str, Any]) -> str:
    words = [part["description"]] if "description" in part else []
    if part.get("format") == "date-time":
        words.append("A time such as 2026-03-01T08:00:00Z.")
    if part.get("type") == "array":
        choices = part.get("items", {}).get("enum")
        among = f" of {', '.join(choices)}" if choices else ""
        words.append(f"Several{among}, with commas between.")
    if "default" in part:
        words.append(f"Default: {part['default']}.")
    return " ".join(words)


def _value(field: ArgumentField) -> Any:
    text = field.entered.strip()
    if field.kind == "number":
        if not text.lstrip("-").isdigit() or len(text) > 18:
            raise InvalidArguments(f"{field.name}: this must be a whole number")
        return int(text)
    if field.kind == "yes_no":
        return text == "yes"
    if field.kind == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.kind == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidArguments(f"{field.name}: this is not JSON") from error
    return text
