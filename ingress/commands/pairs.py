"""Arguments on the command line: NAME=VALUE, by a schema."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]


class InvalidArgument(ExplainedError):
    """An argument on the command line can't be read. The message names it."""


def parse_pairs(pairs: Sequence[str], properties: Mapping[str, Any]) -> Json:
    """Parse NAME=VALUE by the tool's schema: lists by comma, numbers as JSON. Raises InvalidArgument."""
    values: Json = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise InvalidArgument(f"{pair[:60]!r}: an argument is NAME=VALUE")
        values[name] = _parse_value(name, text, properties.get(name, {}))
    return values


def _parse_value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "array" and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in {"array", "object", "integer", "number", "boolean"}:
        try:
            return json.loads(text)
        except ValueError:
            raise InvalidArgument(f"{name}: {text[:60]!r} is not of type {kind}") from None
    return text
