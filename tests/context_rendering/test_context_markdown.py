"""The page of a context: all of it there, and nothing of it but words and its own links."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings, strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from calmo_pagerduty.contexts.model import DependencyView, Impact, IncidentContext, Recommendation, RootCause
from calmo_pagerduty.contexts.rendering.markdown import context_markdown
from tests.support.sample_context import a_context, assessment

HOSTILE = st.sampled_from(
    ["<img src=x onerror=alert(1)>", "[click](https://evil.example)", "https://evil.example",
     "www.evil.example", "a@evil.example", "`", "``` \n\n# Heading", "\n\n- item\n\n> quote", "![](x)",
     "| a | b |\n|---|---|", "**b**", "</details>", "\\`", "`<b>`", "]]", "[x]: https://evil.example",
     "\u202egnp.exe", "~~~", "a.evil.example"]
) | st.text(min_size=1, max_size=20)  # fmt: skip
#: Fields that hold what our own code chose, or that parse to something else than text.
OURS = {
    "schema", "issue_id", "connection_id", "incident_id", "source", "state", "kind", "label", "where", "url",
    "at", "created_at", "begun_at", "finished_at", "fetched_at", "last_at", "until", "start", "end", "edges",
}  # fmt: skip
BLOCKS = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "bullet_list_open",
    "bullet_list_close", "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open",
    "tr_close", "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip
INLINE = {"text", "text_special", "code_inline", "link_open", "link_close", "strong_open", "strong_close"}


def poisoned(value: Any, text: str, name: str = "") -> Any:
    """Return a document whose every free text is this one."""
    if isinstance(value, dict):
        return {key: part if key in OURS else poisoned(part, text, key) for key, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part, text, name) for part in value]
    return text if isinstance(value, str) else value


def parsed(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(page)


def inlines(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()


def shape(tokens: list[Token]) -> list[str]:
    return [token.type for token in tokens]


@given(HOSTILE)
@settings(deadline=None)
def test_no_text_changes_the_page_or_where_its_links_lead(text: str) -> None:
    plain = a_context()
    document = poisoned(plain.model_dump(mode="json", by_alias=True), text)
    tokens = parsed(context_markdown(IncidentContext.model_validate(document)))
    assert set(shape(tokens)) <= BLOCKS
    assert {inline.type for inline in inlines(tokens)} <= INLINE
    ours = parsed(context_markdown(plain))
    assert shape(tokens) == shape(ours)
    links = [
        [inline.attrs["href"] for inline in inlines(page) if inline.type == "link_open"]
        for page in (tokens, ours)
    ]
    assert links[0] == links[1]


def test_the_page_says_what_matters_first_and_what_lacks_last() -> None:
    page = context_markdown(a_context())
    titles = [line for line in page.splitlines() if line.startswith("#")]
    assert titles[0] == r"# Incident \#4711: `Checkout API: error rate above 5 %`"
    assert titles[1:] == [
        f"## {title}"
        for title in (
            "The incident",
            "Probable causes",
            "Incidents like it",
            "Whom to involve",
            "On call",
            "Impact",
            "Around it",
            "Dependencies",
            "Alerts and notes",
            "What is lacking",
        )
    ]
    for words in (
        "**High impact: 72 of 100, 90% of the weight known.**",
        "1 in 340 by chance",
        "correlated, not proven",
        "resolved after 24 min",
        "probably asleep, Fri 03:41 (Europe/Paris)",
        "- Alerts: not available: PagerDuty did not answer within 45 s",
        "| alerts | not known | 5 | alerts could not be read |",
        "[`Deploy 2231: smaller connection pool`](https://ci.lantern-lane.example/2231)",
    ):
        assert words in page


def test_what_is_not_known_is_said_and_never_shown_as_zero() -> None:
    nothing = assessment(
        alerts=(),
        notes=(),
        changes=(),
        others=(),
        similar=(),
        recurrence=None,
        on_call=(),
        maintenance=(),
        omitted=(),
        surrounding=DependencyView(),
        root_cause=RootCause(reason="changes could not be read"),
        recommendation=Recommendation(reason="too few past incidents"),
        impact=Impact(
            score=None, confidence=0.0, contributions=(), words="Unknown impact: none of its factors is known"
        ),
    )
    page = context_markdown(a_context(assessment=nothing, sources=(), is_degraded=False))
    assert "**Unknown impact: none of its factors is known.**" in page
    assert "No candidate.\n\nChanges could not be read." in page
    assert "Nobody is named. Too few past incidents." in page
    assert "lacking" not in page and "degraded" not in page
