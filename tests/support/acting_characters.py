"""Characters that act on whoever reads a text: on a terminal, on a log's lines, on the order of letters."""

import sys
import unicodedata
import zlib

#: Control (C0, DEL, C1), format (bidirectional, zero-width, tags), surrogates, line and paragraph separators.
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: One of each of the 2,048 surrogates' halves, and all others.
CLASS = tuple(
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in _CATEGORIES and character not in "\n\t"
    if not "\ud800" < character < "\udfff"
)
#: Window titles, cleared screens, colours, hidden links, the clipboard, answers typed for the reader, markup.
SEQUENCES = (
    "\x1b]0;owned\x07", "\x1b[2J", "\x1b[31m", "\x9b31m", "\x1b]8;;http://evil.example\x1b\\", "\x9d8;;x\x9c",
    "\x1b]52;c;AAAA\x07", "\x1b[6n", "\x1bP$q\x1b\\", "\x1b_x\x1b\\", "\r\x1b[K", "\x08\x08",
    "[link=http://evil.example]", "[bold]",
)  # fmt: skip


def acting(shown: str, but: str = "\n") -> set[str]:
    """Return the characters of the class in what is shown, but for some."""
    return {character for character in shown if unicodedata.category(character) in _CATEGORIES} - set(but)


def hostile(text: str, seed: str) -> str:
    """Return the text with characters of the class before, in and behind it: the same for the same text,
    others for another one, so that texts of a document still mean each other.
    """
    chance = zlib.crc32(f"{seed} {text}".encode(errors="surrogatepass"))
    first, second, third = (CLASS[(chance + step) % len(CLASS)] for step in (0, 1, 2))
    sequence = SEQUENCES[chance // len(CLASS) % len(SEQUENCES)]
    half = len(text) // 2
    return f"{first}{text[:half]}{second}{text[half:]}{sequence}{third}"
