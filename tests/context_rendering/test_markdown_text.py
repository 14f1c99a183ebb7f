"""Whatever somebody wrote, markdown shows it and makes nothing of it."""

import re

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from calmo_pagerduty.kernel.markdown_text import EMPTY, code_span, escape_markdown, markdown_link, single_line

PIECES = st.sampled_from(
    ["`", "``", "*", "_", "[", "]", "(", ")", "<b>", "<script>", "http://evil.example", "www.evil.example",
     "a@b.example", "evil.com", "![x](y)", "](", "\n", "\n\n", "\\", "&amp;", "&#96;", "#", "- ", "1. ", "> ",
     "|", "~~", "---", "\t", "\u202e", "\u200b", "é", "😀", "javascript:x", "mailto:", "word", " ", "$$",
     ":x:", "[^1]: ", "{{", "%", "!"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)
#: What renders to text alone.
TEXT_ONLY = {"text", "code_inline", "text_special"}
#: What renderers that go beyond CommonMark make links of, even behind a backslash.
BARE_LINK = re.compile(r"https?://|www\.|[\w.+-]+@[\w-]|mailto:|[a-z0-9]\.[a-z]{2,}", re.IGNORECASE)


def pieces_of(markdown: str) -> list[Token]:
    """Return the pieces of the only paragraph that the markdown is."""
    tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(markdown)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], tokens
    return list(tokens[1].children or ())


@given(TEXTS, st.sampled_from([code_span, escape_markdown]))
def test_a_text_stays_its_words_and_nothing_else(text: str, form: object) -> None:
    assert callable(form)
    shown = form(text)
    alone = pieces_of(shown)
    assert {token.type for token in alone} <= TEXT_ONLY, "also at the begin of a line"
    pieces = pieces_of(f"It says {shown} there")
    assert {piece.type for piece in pieces} <= TEXT_ONLY
    said = "".join(piece.content for piece in pieces)
    assert said == f"It says {single_line(text, 300) or EMPTY} there"
    for piece in pieces:
        assert piece.type == "code_inline" or not BARE_LINK.search(piece.content), piece.content


@given(TEXTS, TEXTS)
def test_a_text_cannot_change_where_a_link_leads(shown: str, other: str) -> None:
    pieces = pieces_of(
        f"See {markdown_link(code_span(shown), 'https://a.example/x?a=1&copy=2')} and {code_span(other)}."
    )
    links = [piece for piece in pieces if piece.type == "link_open"]
    assert [piece.attrs["href"] for piece in links] == ["https://a.example/x?a=1&copy=2"]


@given(st.text() | TEXTS)
def test_an_odd_address_is_no_link(address: str) -> None:
    pieces = pieces_of(f"See {markdown_link('this', address)} there")
    for piece in pieces:
        if piece.type == "link_open":
            assert str(piece.attrs["href"]).startswith(("http://", "https://"))
            assert address.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://a.example/) [x](https://evil.example",
        "https://a.example/ x",
        "//a",
        "https://a.example/<b>",
        "https://user:pass@evil.example/",
        "https://" + "a" * 3000,
        "",
    ],
)
def test_what_is_no_plain_address_is_not_linked(address: str) -> None:
    assert markdown_link("this", address) == "this"


def test_names_of_the_usual_kind_stay_as_they_are() -> None:
    for name in ("Checkout API", "Émile O'Neill", "checkout-api", "Payments (EU), 3rd tier; 08:11"):
        assert escape_markdown(name) == name
    assert escape_markdown("orders.example.com") == "`orders.example.com`"
    assert escape_markdown("mailto:") == "`mailto:`"
    assert escape_markdown("*bold*") == r"\*bold\*"
    assert escape_markdown("#4711") == r"\#4711"
