"""What a digest tells, to whom, in which form; and when it stays silent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from markdown_it import MarkdownIt

from calmo_pagerduty.access.persons import ALL_PERSONS, NO_PERSONS
from calmo_pagerduty.findings.lifecycle import (
    FindingEvent,
    FindingEventKind,
    FindingState,
    StoredFinding,
)
from calmo_pagerduty.findings.model import AnalysisInputs, Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.oncall.digest import WEEK, Digest, DigestInputs, DigestPart, digest_for, make_digest
from calmo_pagerduty.oncall.digest_codec import digest_document, digest_from_document
from calmo_pagerduty.oncall.digest_html import digest_html
from calmo_pagerduty.oncall.digest_markdown import NEWS, SILENCE, TITLES, digest_markdown
from calmo_pagerduty.oncall.finding_texts import SEVERITY_SIGNS
from tests.support.findings import ANA, DAY, HOUR, NOON, RETAIL, a_finding, a_gap, a_result

SINCE, UNTIL = NOON - WEEK, NOON
FOUND, WORSENED, RETURNED, RESOLVED = (
    FindingEventKind.FOUND,
    FindingEventKind.WORSENED,
    FindingEventKind.RETURNED,
    FindingEventKind.RESOLVED,
)
HOSTILE = '<script>alert("x")</script> [a](javascript:x) | `b` \x1b[31m\u202e'


class Given:
    """Findings with what happened to them, `days` before the digest's end."""

    def __init__(self) -> None:
        self.findings: list[StoredFinding] = []
        self.events: dict[int, list[FindingEvent]] = {}

    def add(
        self,
        finding: Finding,
        *happened: tuple[FindingEventKind, float],
        state: FindingState = FindingState.NEW,
    ) -> "Given":
        number = len(self.findings) + 1
        at = datetime.fromtimestamp(UNTIL, UTC)
        self.findings.append(StoredFinding(number, "con_a", "coverage", finding, state, True, at, at, at))
        self.events[number] = [
            FindingEvent(9, at - timedelta(days=days), kind, state, finding.severity, None, "a reason", ())
            for kind, days in happened
        ]
        return self

    def digest(self, **changed: Any) -> Digest:
        inputs = DigestInputs("con_a", "Shop", "Europe/London", self.findings, self.events, [a_result()])
        return make_digest(replace(inputs, **changed), SINCE, UNTIL)


def parts_of(digest: Digest) -> list[tuple[str, str]]:
    return [(line.part.value, line.finding.key) for line in digest.lines]


def test_each_finding_stands_in_the_first_part_that_fits() -> None:
    soon = Span(UNTIL + DAY, UNTIL + DAY + HOUR)
    digest = (
        Given()
        .add(a_finding("new"), (FOUND, 2))
        .add(a_finding("old"), (FOUND, 20))
        .add(a_finding("worse"), (FOUND, 20), (WORSENED, 1))
        .add(a_finding("back"), (RESOLVED, 3), (RETURNED, 1), state=FindingState.RETURNED)
        .add(a_finding("mended"), (FOUND, 20), (RESOLVED, 1), state=FindingState.RESOLVED)
        .add(a_finding("mended long ago"), (RESOLVED, 8), state=FindingState.RESOLVED)
        .add(a_finding("dismissed"), (FOUND, 1), state=FindingState.DISMISSED)
        .add(a_finding("soon", at=soon), (FOUND, 20))
        .add(a_finding("later", at=Span(UNTIL + 2 * WEEK, UNTIL + 3 * WEEK)), (FOUND, 20))
        .add(a_gap("small", 0.1), (FOUND, 20), state=FindingState.ACCEPTED)
        .add(a_gap("large", 1.5), (FOUND, 1))
        .add(a_gap("unknown", None), (FOUND, 20))
        .add(a_finding("note", severity=FindingSeverity.INFO), (FOUND, 1))
        .digest()
    )
    assert parts_of(digest) == [
        ("gaps", "large"), ("gaps", "small"), ("gaps", "unknown"), ("next_week", "soon"), ("new", "new"),
        ("worsened", "worse"), ("worsened", "back"), ("resolved", "mended"),
    ]  # fmt: skip
    assert not digest.is_silent
    assert digest.open_count == 10
    assert {line.finding.key: line.news for line in digest.lines if line.part is DigestPart.GAPS} == {
        "large": FOUND,
        "small": None,
        "unknown": None,
    }


def test_it_is_silent_when_nothing_is_wrong() -> None:
    quiet = (
        Given()
        .add(a_finding("mended"), (RESOLVED, 1), state=FindingState.RESOLVED)
        .add(a_finding("dismissed"), (FOUND, 1), state=FindingState.DISMISSED)
        .add(a_finding("note", severity=FindingSeverity.INFO), (FOUND, 1))
        .digest()
    )
    assert quiet.is_silent
    assert SILENCE in digest_markdown(quiet) and SILENCE in digest_html(quiet)


@pytest.mark.parametrize("results", [[], [a_result(now=UNTIL - 3 * DAY)]])
def test_silence_promises_nothing_that_nobody_checked(results: list[Any]) -> None:
    unchecked = Given().digest(results=results)
    assert not unchecked.is_silent
    assert unchecked.limits
    assert SILENCE not in digest_markdown(unchecked)


def test_what_could_not_be_checked_is_said_first() -> None:
    inputs = AnalysisInputs({}, NOON, truncated=("log_entries",), missing_permissions=("users",))
    digest = Given().add(a_gap(), (FOUND, 1)).digest(results=[a_result(inputs=inputs)])
    for page in (digest_markdown(digest), digest_html(digest)):
        assert page.index("What could not be checked") < page.index("Nobody would be paged")
        assert "users" in page and "log" in page


def test_each_line_has_figures_and_says_how_to_verify_it() -> None:
    digest = Given().add(a_gap(), (FOUND, 1)).digest()
    for page in (digest_markdown(digest), digest_html(digest)):
        for words in (
            "Tue 2 Jun 13:00 to 17:00", "0.42 dropped incidents expected", "no level has anybody for 4 h",
            "calmo-pagerduty coverage --policy PSHOP", "findings show 1", "Europe/London",
        ):  # fmt: skip
            assert words in page


def test_who_may_not_see_persons_reads_of_nobody() -> None:
    digest = (
        Given()
        .add(
            a_finding("PANA", code="nights", title="Ana", entities=(ANA, RETAIL), about_persons=True),
            (FOUND, 1),
        )
        .digest()
    )
    assert digest_for(digest, ALL_PERSONS) == digest
    hidden = digest_for(digest, NO_PERSONS)
    for page in (digest_markdown(hidden), digest_html(hidden), str(digest_document(hidden))):
        assert "Ana" not in page and "PANA" not in page
        assert "Nights: a person" in page


def test_commands_in_advice_are_shown_as_code() -> None:
    advice = "Run `calmo-pagerduty coverage`, then look at 5 * 3."
    digest = Given().add(a_gap(how_to_verify=advice), (FOUND, 1)).digest()
    assert "Run <code>calmo-pagerduty coverage</code>, then look at 5 * 3." in digest_html(digest)
    assert "Run `calmo-pagerduty coverage`, then look at 5 \\* 3." in digest_markdown(digest)


def test_hostile_texts_stay_texts() -> None:
    evil = a_gap(
        title=HOSTILE,
        recommendation=HOSTILE,
        how_to_verify=HOSTILE,
        entities=(replace(ANA, kind="policy", html_url='javascript:alert("x")'),),
    )
    digest = Given().add(evil, (FOUND, 1)).digest(connection_name=HOSTILE)
    page, markdown = digest_html(digest), digest_markdown(digest)
    assert tags_of(page).isdisjoint({"script", "a", "img", "iframe", "link"})
    rendered = MarkdownIt("commonmark", {"html": True}).render(markdown)
    assert tags_of(rendered) <= {"h1", "h2", "p", "ul", "li", "strong", "em", "code"}
    for text in (page, markdown):
        assert "\x1b" not in text and "\u202e" not in text


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    page = digest_html(Given().add(a_gap(), (FOUND, 1)).digest())
    assert "prefers-color-scheme:dark" in page and "@media print" in page
    for word in ("<script", "src=", "url(", "@import", ' style="', " onclick"):
        assert word not in page


def test_the_tables_are_total() -> None:
    assert set(TITLES) == set(DigestPart)
    assert set(NEWS) == set(FindingEventKind)
    assert set(SEVERITY_SIGNS) == set(FindingSeverity)
    assert len(set(SEVERITY_SIGNS.values())) == len(SEVERITY_SIGNS)


@settings(max_examples=20)
@given(st.permutations(range(6)))
def test_the_order_of_findings_makes_no_difference(order: list[int]) -> None:
    given_findings = Given()
    for number in range(6):
        given_findings.add(a_gap(str(number), number / 10), (FOUND, number))
    expected = given_findings.digest()
    given_findings.findings = [given_findings.findings[place] for place in order]
    assert given_findings.digest() == expected


def test_a_digest_survives_its_json() -> None:
    digest = Given().add(a_gap(), (FOUND, 1)).add(a_finding("b"), (WORSENED, 1)).digest()
    assert digest_from_document(digest_document(digest)) == digest


def tags_of(page: str) -> set[str]:
    """Return the elements of a page."""
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    Reader().feed(page)
    return found
