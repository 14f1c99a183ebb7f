"""Texts from outside in markdown, so that they stay texts: no link, no markup, no HTML comes from them.

Whatever a text holds, a renderer shows its words and nothing else, whether it follows CommonMark or also
makes links of bare addresses, as GitHub's and many others do. Backslashes don't stop those, code does:
what could become a link is shown as code.
"""

import re

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: What may begin markup within a line. Commas, colons and the like never do.
_SPECIAL = re.compile(r"""([\\`*_{}\[\]<>#~|&!$^="])""")
#: What would begin a list at the begin of a line.
_LIST_MARKER = re.compile(r"^(\d{0,9})([-+.)])")
#: A renderer might make a link of it: a scheme, an address, `www.`, or something with a domain's dot.
#: The colon of a time of day is none of those; a scheme is one even if what follows stands beside the text.
_LINKABLE = re.compile(r"@|:(?!\d\d\b)\S|//|www\.|mailto:|xmpp:|[^\W_]\.[^\W\d_]", re.IGNORECASE)
_HTTP_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/?#@!$&*+,;=%:-]*)?")
MAX_URL_LENGTH = 2048
EMPTY = "(empty)"


def single_line(text: str, longest: int) -> str:
    """Return the text clean, in one line, at most `longest` characters of it."""
    line = " ".join(sanitize_text(text, longest * 4).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def code_span(text: str, longest: int = 300) -> str:
    """Return somebody's text as code: nothing in it means anything to a renderer."""
    line = single_line(text, longest)
    if not line:
        return EMPTY
    runs = re.findall(r"`+", line)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    pad = " " if runs else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def escape_markdown(text: str, longest: int = 300) -> str:
    """Return a name or a sentence as text; as code if it could become a link."""
    line = single_line(text, longest) or EMPTY
    if _LINKABLE.search(line):
        return code_span(line, longest)
    return _LIST_MARKER.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line))


def markdown_link(shown: str, address: str | None) -> str:
    """Return what is shown (markdown already) with a link, if the address is a plain http one."""
    if address is None or len(address) > MAX_URL_LENGTH or not _HTTP_URL.fullmatch(address):
        return shown
    return f"[{shown}]({address.replace('&', '&amp;')})"
