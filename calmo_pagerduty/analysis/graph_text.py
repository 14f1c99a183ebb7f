"""Names in a picture: escaped, clean, and wrapped to the boxes they stand in."""

import unicodedata
from collections.abc import Iterator
from html import escape

from calmo_pagerduty.domain.untrusted_text import clean_text

#: What fits into a box in one line, in narrow characters.
LINE_LENGTH = 19
MOST_LINES = 2


def picture_text(text: str) -> str:
    """Return the text as XML holds it."""
    return escape(" ".join(clean_text(text).split()))


def wrapped(name: str) -> list[str]:
    """Return a name in at most two lines; what doesn't fit ends with `…`."""
    lines = [""]
    for piece in _pieces(clean_text(name, 200)):
        longer = lines[-1] + piece
        if _width(longer.strip()) <= LINE_LENGTH:
            lines[-1] = longer
        elif len(lines) < MOST_LINES:
            lines.append(piece)
        else:
            lines[-1] = _cut(longer)
            break
    return [line.strip() for line in lines if line.strip()] or ["(no name)"]


def _pieces(name: str) -> Iterator[str]:
    """Yield what may stand in one line: words with the space before them, long ones broken, after a
    hyphen or the like where there is one.
    """
    for word in name.split():
        left = f" {word}"
        while _width(left) > LINE_LENGTH:
            end = next(end for end in range(len(left), 0, -1) if _width(left[:end]) <= LINE_LENGTH)
            breaks = [at + 1 for at, one in enumerate(left[:end]) if one in "-_./" and at > LINE_LENGTH // 3]
            end = breaks[-1] if breaks else end
            yield left[:end]
            left = left[end:]
        if left:
            yield left


def _cut(line: str) -> str:
    line = line.strip()
    while _width(line) >= LINE_LENGTH:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _width(text: str) -> int:
    """Return how much room a text needs: signs of East Asia and emoji need twice as much."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
