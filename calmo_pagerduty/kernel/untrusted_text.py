"""Sanitizes untrusted text for terminals and language models.

It removes characters that can make a text look different from what it is: control characters (except
line break and tab), bidirectional controls, zero-width characters, tags and invisible selectors.
"""

import unicodedata
from itertools import islice
from typing import Any

MAX_TEXT_LENGTH = 4096
_ALLOWED_CONTROLS = frozenset("\n\t")
#: Control, format (bidirectional, zero-width, tags), surrogate, private use, unassigned, line separators.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Invisible characters that Unicode classes as letters or marks: joiners, fillers, and variation selectors,
#: which can hide any bytes behind one letter. U+FE0F stays, because it selects an emoji.
#: Source: Unicode, DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0)))
)


def sanitize_text(text: str, longest: int = MAX_TEXT_LENGTH) -> str:
    """Return the text without invisible characters, at most `longest` characters."""
    # Unicode's printable characters are those outside the removed categories, but for some separators.
    plain = text.isprintable() and (text.isascii() or _INVISIBLE.isdisjoint(text))
    # Of a text of megabytes no more is looked at than is shown.
    visible = text if plain else "".join(islice(filter(_is_visible, text), longest + 1))
    return visible if len(visible) <= longest else f"{visible[: longest - 1]}…"


def _is_visible(character: str) -> bool:
    return character in _ALLOWED_CONTROLS or (
        unicodedata.category(character) not in _REMOVED_CATEGORIES and character not in _INVISIBLE
    )


def clean_json(value: Any, longest: int = MAX_TEXT_LENGTH) -> Any:
    """Return the JSON value with its texts and field names sanitized, each at most `longest` characters."""
    if isinstance(value, str):
        return sanitize_text(value, longest)
    if isinstance(value, dict):
        return {sanitize_text(str(name), longest): clean_json(part, longest) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(part, longest) for part in value]
    return value
