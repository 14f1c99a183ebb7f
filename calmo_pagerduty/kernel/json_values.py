"""Reads JSON from outside: each function returns the type that its caller needs, whatever the value."""

from typing import Any

JsonObject = dict[str, Any]


def as_object(value: object) -> JsonObject:
    """Return the value if it is an object, else {}."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[JsonObject]:
    """Return the objects in a list, without its other items; [] if the value is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def as_text(value: object, limit: int) -> str | None:
    """Return at most `limit` characters of a text, storable and stripped; None if empty or no text."""
    return (storable_text(value, limit).strip() or None) if isinstance(value, str) else None


def storable_text(text: str, limit: int) -> str:
    """Return at most `limit` characters that any database can store: no NUL, no lone surrogate.

    The text may still hold control characters. `sanitize_text` removes them for people and models.
    """
    text = text[:limit]
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
