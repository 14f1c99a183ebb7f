"""Text that anybody may have written into PagerDuty, made harmless for terminals and language models.

Removed: control characters but line break and tab, bidirectional controls, zero-width characters, tags
and invisible selectors, by which a text can look different from what it is. What it says stays.
"""

import unicodedata
from typing import Any

MAX_TEXT_LENGTH = 4096
_KEPT_CONTROLS = frozenset("\n\t")
#: Control, format (bidirectional, zero-width, tags), surrogate, private use, unassigned, separators of lines.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Invisible too, though Unicode calls them letters or marks: joiners, fillers, and variation selectors, by
#: which any bytes can be hidden behind one letter. U+FE0F stays: it makes a sign an emoji.
#: Source: Unicode, DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0)))
)


def sanitize_text(text: str, longest: int = MAX_TEXT_LENGTH) -> str:
    """Return the text without what hides, at most `longest` characters of it."""
    plain = text.isascii() and text.isprintable()
    kept = text if plain else "".join(character for character in text if _is_visible(character))
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def _is_visible(character: str) -> bool:
    return character in _KEPT_CONTROLS or (
        unicodedata.category(character) not in _REMOVED_CATEGORIES and character not in _INVISIBLE
    )


def clean_json(value: Any, longest: int = MAX_TEXT_LENGTH) -> Any:
    """Return a JSON value whose texts, and names of fields, are clean."""
    if isinstance(value, str):
        return sanitize_text(value, longest)
    if isinstance(value, dict):
        return {sanitize_text(str(name), longest): clean_json(part, longest) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(part, longest) for part in value]
    return value
