"""Says in plain words what is wrong with a value that a model refuses."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

from calmo_pagerduty.kernel.count_text import count_text

Context = Mapping[str, Any]

_PATTERNS: Final[Mapping[str, str]] = {
    "^[A-Za-z0-9_-]{1,40}$": "give an id: letters, digits, - and _, at most 40",
    r"^[^\r\n]+$": "give one line of text",
    "^[!-~]+$": "give it unchanged, without spaces",
}


def _entries(context: Context, bound: str) -> str:
    return count_text(int(context.get(bound, 0)), "entry", "entries")


def _characters(context: Context, bound: str) -> str:
    return count_text(int(context.get(bound, 0)), "character")


#: pydantic's type of error → what to do. Source: pydantic's documentation, "Validation Errors".
_TEXTS: Final[Mapping[str, Callable[[Context], str]]] = {
    "missing": lambda _: "it is required",
    "extra_forbidden": lambda _: "there is no such field",
    "too_short": lambda context: f"give at least {_entries(context, 'min_length')}",
    "too_long": lambda context: f"give at most {_entries(context, 'max_length')}",
    "string_too_short": lambda context: f"give at least {_characters(context, 'min_length')}",
    "string_too_long": lambda context: f"give at most {_characters(context, 'max_length')}",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(
        str(context.get("pattern")), "it has characters that are not allowed here"
    ),
    "literal_error": lambda context: f"give one of {context.get('expected')}",
    "enum": lambda context: f"give one of {context.get('expected')}",
    "greater_than": lambda context: f"give a number above {context.get('gt')}",
    "greater_than_equal": lambda context: f"give {context.get('ge')} or more",
    "less_than": lambda context: f"give a number below {context.get('lt')}",
    "less_than_equal": lambda context: f"give {context.get('le')} or less",
    "json_invalid": lambda _: "this is no valid JSON",
    "timezone_aware": lambda _: "give a time with its time zone, such as 2026-03-01T09:00:00Z",
    "finite_number": lambda _: "give a finite number",
}
#: How a wrong type is told, by the beginning of pydantic's type of error.
_KINDS: Final[Mapping[str, str]] = {
    "tuple": "a list", "list": "a list", "set": "a list", "frozen_set": "a list", "dict": "an object",
    "mapping": "an object", "model": "an object", "string": "a text", "int": "a whole number",
    "float": "a number", "bool": "true or false", "datetime": "a time such as 2026-03-01T09:00:00Z",
    "date": "a date such as 2026-03-01", "time_delta": "a duration",
}  # fmt: skip


def validation_text(detail: ErrorDetails) -> str:
    """Return what to do about an error of validation. It repeats no value, and has no words of Python's."""
    kind = detail["type"]
    if text := _TEXTS.get(kind):
        return text(detail.get("ctx", {}))
    if kind in {"value_error", "assertion_error"}:
        return detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    for beginning, wanted in _KINDS.items():
        if kind.startswith(f"{beginning}_"):
            return f"give {wanted}"
    return detail["msg"].replace("Input should", "it should")
