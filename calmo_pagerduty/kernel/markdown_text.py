"""Escapes untrusted texts for markdown, so that they produce no link, no markup and no HTML.

This holds for CommonMark and for renderers that turn bare addresses into links, as GitHub's does.
Backslashes don't stop those, but code spans do, so a text that could become a link is shown as code.
"""

import re

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: Characters that may begin markup within a line.
_SPECIAL = re.compile(r"""([\\`*_{}\[\]<>#~|&!$^="])""")
#: Text that would begin a list at the start of a line.
_LIST_MARKER = re.compile(r"^(\d{0,9})([-+.)])")
#: Texts that a renderer might turn into a link: a scheme, an e-mail address, `www.`, or a domain's dot.
#: The colon in a time of day is excluded.
_LINKABLE = re.compile(r"@|:(?!\d\d\b)\S|//|www\.|mailto:|xmpp:|[^\W_]\.[^\W\d_]", re.IGNORECASE)
_HTTP_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/?#@!$&*+,;=%:-]*)?")
MAX_URL_LENGTH = 2048
EMPTY = "(empty)"


def single_line(text: str, longest: int) -> str:
    """Return the sanitized text in one line, at most `longest` characters."""
    line = " ".join(sanitize_text(text, longest * 4).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def code_span(text: str, longest: int = 300) -> str:
    """Return the text as a code span, in which a renderer interprets nothing."""
    line = single_line(text, longest)
    if not line:
        return EMPTY
    runs = re.findall(r"`+", line)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    pad = " " if runs else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def escape_markdown(text: str, longest: int = 300) -> str:
    """Return the text with markup escaped, or as a code span if it could become a link."""
    line = single_line(text, longest) or EMPTY
    if _LINKABLE.search(line):
        return code_span(line, longest)
    return _LIST_MARKER.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line))


def escape_cell(text: str, longest: int = 300) -> str:
    """Return the text for a table's cell or a heading, where nothing begins a list."""
    line = single_line(text, longest)
    if _LINKABLE.search(line):
        return code_span(line, longest).replace("|", "\\|")
    return _SPECIAL.sub(r"\\\1", line)


def markdown_link(shown: str, address: str | None) -> str:
    """Return `shown` (which is markdown) as a link, or unchanged if the address is no plain http URL."""
    if address is None or len(address) > MAX_URL_LENGTH or not _HTTP_URL.fullmatch(address):
        return shown
    return f"[{shown}]({address.replace('&', '&amp;')})"
