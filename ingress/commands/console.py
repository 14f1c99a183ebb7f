"""The console of every command. What it writes holds no control characters but those of our own styles.

Titles, notes and names come from outside: whoever may send an alert writes them. An escape sequence in
one could rename the window, fill the clipboard or hide a line, and a bidirectional control could turn it.
"""

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: Longer than any text: a console cuts nothing.
_ANY_LENGTH = 2**31


def terminal_text(text: str) -> str:
    """Return the text without control, bidirectional and invisible characters."""
    return sanitize_text(text, _ANY_LENGTH)


class TerminalConsole(Console):
    """A rich console whose segments are sanitized, whatever made them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else _clean(segment)


def _clean(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None and terminal_text(style.link) != style.link:
        style = style.update_link(None)
    text = terminal_text(segment.text)
    return segment if text == segment.text and style is segment.style else Segment(text, style)


def new_console(file: IO[str] | None = None, **options: Any) -> TerminalConsole:
    """Return a console on standard output, or on `file`."""
    # Texts from outside may look like rich's markup, which could style them or make links.
    return TerminalConsole(file=file, markup=False, emoji=False, **options)
