"""Reading JSON from outside: whatever stands in a place, the answer has the type that its reader needs."""

from typing import Any

JsonObject = dict[str, Any]


def as_object(value: object) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[JsonObject]:
    """Return the objects of a list; what isn't one is left out, and of anything else there are none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def as_text(value: object, limit: int) -> str | None:
    """Return at most `limit` characters of a text, storable and without blanks around it; None if it is empty
    or no text.
    """
    return (storable_text(value, limit).strip() or None) if isinstance(value, str) else None


def storable_text(text: str, limit: int) -> str:
    """Return at most `limit` characters that any database and UTF-8 take: no NUL, no lone surrogate.

    It may still hold what hides in a terminal: `clean_text` is for what people and language models read.
    """
    return text[:limit].replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
