"""A small writer of accessible SVG: the same plot gives the same bytes, and every text is escaped.

A canvas collects shapes; `Figure.document()` is a file of its own, `Figure.inline()` is for a page
that serves `styles.STYLE_SHEET`. Lengths are in pixels, y grows downward.
"""

import re
import unicodedata
from dataclasses import dataclass
from html import escape

from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.plots.model import Fill
from calmo_pagerduty.plots.styles import FILL_STYLES, STYLE_SHEET, Pattern

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,80}")
#: Mean width of a character, as a share of the font size.
_NARROW, _WIDE = 0.56, 1.05
#: Bold text is so much wider.
BOLDER = 1.14
MAX_TEXT = 300
MAX_DESCRIPTION = 20_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A finished plot. `description` says in words what the plot shows, for readers who can't see it."""

    id: str
    title: str
    description: str
    width: float
    height: float
    elements: tuple[str, ...]

    def document(self) -> str:
        """Return the plot as an SVG file, with its style sheet inside."""
        return self._svg(f"<style>{STYLE_SHEET}</style>")

    def inline(self) -> str:
        """Return the plot for a page that serves the style sheet itself."""
        return self._svg("")

    def _svg(self, style: str) -> str:
        width, height = number(self.width), number(self.height)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="{self.id}-title {self.id}-desc">'
        )
        lines = [
            head,
            f'<title id="{self.id}-title">{xml_text(self.title)}</title>',
            f'<desc id="{self.id}-desc">{xml_text(self.description, MAX_DESCRIPTION)}</desc>',
            *([style] if style else []),
            f'<rect class="background" width="{width}" height="{height}"/>',
            *self.elements,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


class Canvas:
    """Collects the shapes of one figure. `id` must be unique in a page: patterns are named after it.

    Raises:
        ValueError: The id has characters other than letters, digits, `_` and `-`.
    """

    def __init__(self, id: str) -> None:
        if not _ID.fullmatch(id):
            raise ValueError(f"{id[:20]!r} is no id of a figure")
        self.id = id
        self._elements: list[str] = []
        self._fills: set[Fill] = set()

    def text(self, x: float, y: float, text: str, classes: str = "", width: float | None = None) -> None:
        """Write a line of text with its baseline at y; cut to `width` pixels, whole in a tooltip."""
        bold = BOLDER if {"strong", "title"} & set(classes.split()) else 1.0
        size = 11 if "small" in classes.split() else 12
        shown = text if width is None else fit(text, width / bold, size)
        tooltip = "" if shown == single_line(text, MAX_TEXT) else f"<title>{xml_text(text)}</title>"
        kind = f' class="{classes}"' if classes else ""
        self._elements.append(
            f'<text x="{number(x)}" y="{number(y)}"{kind}>{tooltip}{xml_text(shown)}</text>'
        )

    def chip(self, x: float, y: float, text: str, classes: str = "alarm small") -> None:
        """Write a text centred on x, on a plate of the page's colour so that it is readable on a hatch."""
        width = text_width(text, 11) * BOLDER + 6
        self._elements.append(
            f'<rect class="background" x="{number(x - width / 2)}" y="{number(y - 10)}"'
            f' width="{number(width)}" height="13" rx="2"/>'
        )
        self.text(x, y, text, f"middle {classes}".strip())

    def area(self, x: float, y: float, width: float, height: float, fill: Fill, tooltip: str = "") -> None:
        """Draw a rectangle with the fill's colour and pattern."""
        title = f"<title>{xml_text(tooltip)}</title>" if tooltip else ""
        kind, paint = self._paint(fill)
        self._elements.append(
            f'<rect class="area {kind}{fill}" x="{number(x)}" y="{number(y)}"'
            f' width="{number(max(width, 0.8))}" height="{number(height)}"{paint}'
            + (f">{title}</rect>" if title else "/>")
        )

    def plate(self, x: float, y: float, width: float, height: float, classes: str) -> None:
        """Draw a plain rectangle of a class of the style sheet."""
        self._elements.append(
            f'<rect class="{classes}" x="{number(x)}" y="{number(y)}"'
            f' width="{number(max(width, 0.8))}" height="{number(height)}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, classes: str = "axis") -> None:
        start, end = f'x1="{number(x1)}" y1="{number(y1)}"', f'x2="{number(x2)}" y2="{number(y2)}"'
        self._elements.append(f'<line class="{classes}" {start} {end}/>')

    def dot(self, x: float, y: float, radius: float, fill: Fill, tooltip: str = "") -> None:
        title = f"<title>{xml_text(tooltip)}</title>" if tooltip else ""
        self._elements.append(
            f'<circle class="speck {fill}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}">'
            f"{title}</circle>"
        )

    def path(
        self, points: list[tuple[float, float]], classes: str, fill: Fill, *, closed: bool = False
    ) -> None:
        """Draw a line through points, if there are any; `closed` joins the last to the first."""
        if not points:  # a path without a point is an error in a browser's console
            return
        steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self._elements.append(f'<path class="{classes} {fill}" d="M{steps}{"Z" if closed else ""}"/>')

    def legend(self, x: float, y: float, fills: list[Fill], right: float) -> float:
        """Explain fills in rows from x to `right`; return the y below them."""
        at = x
        for fill in fills:
            word = FILL_STYLES[fill].word
            room = 26 + text_width(word, 11) + 18
            if at + room > right and at > x:
                at, y = x, y + 18
            self.area(at, y - 9, 20, 11, fill)
            self.text(at + 26, y, word, "small muted")
            at += room
        return y + 12

    def figure(self, title: str, description: str, width: float, height: float) -> Figure:
        """Return the figure with all that was drawn."""
        patterns = [_pattern(self.id, fill) for fill in Fill if fill in self._fills]
        definitions = [f"<defs>{''.join(patterns)}</defs>"] if patterns else []
        return Figure(self.id, title, description, width, height, (*definitions, *self._elements))

    def _paint(self, fill: Fill) -> tuple[str, str]:
        pattern = FILL_STYLES[fill].pattern
        if pattern in _PLAIN:
            return f"{pattern} ", ""
        self._fills.add(fill)
        return "", f' fill="url(#{self.id}-{fill})"'


#: Patterns that a class draws.
_PLAIN = (Pattern.SOLID, Pattern.OUTLINE, Pattern.SHADE)
_SHAPES = {
    Pattern.RISING: '<path class="hatch" d="M-2 2L2 -2M0 8L8 0M6 10L10 6"/>',
    Pattern.FALLING: '<path class="hatch" d="M-2 6L2 10M0 0L8 8M6 -2L10 2"/>',
    Pattern.CROSSED: '<path class="hatch" d="M0 0L8 8M0 8L8 0"/>',
    Pattern.DOTTED: "".join(f'<circle class="speck" cx="{at}" cy="{at}" r="1.4"/>' for at in (2, 6)),
    Pattern.LEVEL: '<path class="hatch" d="M0 2H8M0 6H8"/>',
    Pattern.UPRIGHT: '<path class="hatch" d="M2 0V8M6 0V8"/>',
}


def _pattern(figure: str, fill: Fill) -> str:
    shape = _SHAPES[FILL_STYLES[fill].pattern]
    return (
        f'<pattern id="{figure}-{fill}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<g class="{fill}"><rect class="tint" width="8" height="8"/>{shape}</g></pattern>'
    )


def number(value: float) -> str:
    """Return a length with at most one decimal: `12`, `12.5`."""
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def xml_text(text: str, longest: int = MAX_TEXT) -> str:
    """Return a text for element content and attributes: one line, visible characters only, escaped."""
    return escape(single_line(text, longest))


def text_width(text: str, size: float = 12) -> float:
    """Return roughly how wide a text is, in pixels."""
    return sum(_WIDE if unicodedata.east_asian_width(c) in "WF" else _NARROW for c in text) * size


def fit(text: str, width: float, size: float = 12) -> str:
    """Return the text in one line, cut so that it is roughly at most `width` pixels wide."""
    line = single_line(text, MAX_TEXT)
    if text_width(line, size) <= width:
        return line
    while line and text_width(line + "…", size) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
