"""What holds of every page: hostile texts stay texts, strangers see nothing, nothing is stored."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import islice, product

import pytest

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.scopes import Scope
from ingress.dashboard.page import Page
from ingress.dashboard.site import PAGES, SET_UP
from tests.support.connected import add_connection
from tests.support.dashboard import DashboardSite
from tests.support.findings import a_finding, a_result

#: It is in every hostile text. As an attribute or element, it shows that a text became markup.
EVIL = "data-evil"
_BEGIN = ("", '"', "'", "-->", "</title>", "</textarea>", "</script>", "]]>", "\u202e", "{{ 7 * 7 }}")
_MARKUP = (
    "<b {e}>", "<script {e}>alert(1)</script>", "<img src=x {e} onerror=alert(1)>", "<form {e}>",
    "<style {e}>*{{}}</style>", "<a {e} href=javascript:alert(1)>x</a>", "<iframe {e} srcdoc=x>",
    "<svg {e} onload=alert(1)>",
    " {e}=1 onfocus=alert(1) autofocus ", "<math><mi {e}>", "<!--<x {e}>", "<%{e}%>", "<details {e} open>",
    "<base {e} href=//evil.example>", "<meta {e} http-equiv=refresh>", "<{e}>", "<input {e} autofocus>",
    "<x {e} style=color:red>", "<link {e} rel=stylesheet>", "&lt;b {e}&gt;",
)  # fmt: skip
HOSTILE = tuple(f"{begin}{markup.format(e=EVIL)}" for begin, markup in product(_BEGIN, _MARKUP))
ISSUES = 60
#: Elements whose text is shown as it came.
VERBATIM = frozenset({"pre", "textarea", "code"})
RAW_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


class Reader(HTMLParser):
    """Reads a page as a browser would, and notes what must not be there and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        #: Raw times that people would have to read.
        self.raw_times: list[str] = []
        self._verbatim = 0
        self.links: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._verbatim += tag in VERBATIM
        if EVIL in tag or any(EVIL in name for name in given):
            self.wrong.append(f"a text became markup: {self.get_starttag_text()}")
        if tag in {"style", "iframe", "base", "object", "embed"} or (tag == "script" and "src" not in given):
            self.wrong.append(f"an element that no page has: {self.get_starttag_text()}")
        if "style" in given or any(name.startswith("on") for name in given):
            self.wrong.append(f"an inline style or script: {self.get_starttag_text()}")
        for name in ("href", "src", "action"):
            address = given.get(name, "")
            if re.match(r"\s*(javascript|data|vbscript):", address, re.IGNORECASE):
                self.wrong.append(f"an address that is a script: {self.get_starttag_text()}")
            if address.startswith("/dashboard/"):
                self.links.add(address.partition("?")[0].partition("#")[0])

    def handle_endtag(self, tag: str) -> None:
        self._verbatim -= tag in VERBATIM

    def handle_data(self, data: str) -> None:
        # A hint for what is typed names the form that it takes.
        if not self._verbatim and RAW_TIME.search(data) and "A time such as" not in data:
            self.raw_times.append(data.strip())


@dataclass
class World:
    """A dashboard full of hostile texts, and the addresses of its pages."""

    site: DashboardSite
    addresses: dict[Page, str]
    wrong: dict[str, list[str]] = field(default_factory=dict)
    raw_times: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
async def world(site: DashboardSite) -> World:
    """Every page read once by somebody who sees everything; pages of objects are found by links."""
    await _fill(site)
    session = await site.session(site.a_key(person=HOSTILE[2]))
    found = World(site, {})
    pages, links = [*PAGES, SET_UP], set[str]()
    for with_parameters in (False, True, True):
        for page in pages:
            address = _address(page, links)
            if ("{" in page.path) is not with_parameters or address is None or page in found.addresses:
                continue
            answer = await session.get(address)
            assert answer.status_code < 500, (address, answer.status_code)
            read = Reader(answer.text)
            links |= read.links
            found.addresses[page] = address
            found.wrong[address], found.texts[address] = read.wrong, answer.text
            found.raw_times[address] = read.raw_times
            found.headers[address] = answer.headers.get("cache-control", "")
    return found


async def test_no_page_makes_markup_of_a_text_or_holds_an_inline_script_or_style(world: World) -> None:
    assert len(HOSTILE) == 200
    assert sum(text.count(EVIL) for text in world.texts.values()) > 200
    assert {address: wrong for address, wrong in world.wrong.items() if wrong} == {}


async def test_no_page_shows_people_a_raw_time(world: World) -> None:
    assert {address: times for address, times in world.raw_times.items() if times} == {}


async def test_every_page_says_that_it_must_not_be_stored(world: World) -> None:
    assert {page for page in PAGES if "{" not in page.path} <= set(world.addresses)
    assert {address: said for address, said in world.headers.items() if "no-store" not in said} == {}


async def test_a_stranger_sees_nothing_of_another_organisation_on_any_page(world: World) -> None:
    stranger = await world.site.session(world.site.a_key(scopes=("organization:stranger",)))
    hidden = 0
    for address in world.addresses.values():
        answer = await stranger.get(address)
        assert EVIL not in answer.text, address
        hidden += answer.status_code == 404
    assert hidden >= 3


async def _fill(site: DashboardSite) -> None:
    webhook = site.webhook(name=HOSTILE[1])
    for title in islice(HOSTILE, ISSUES):
        await site.an_issue(webhook, title)
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme")
    findings = [a_finding(f"P{number}", title=title) for number, title in enumerate(HOSTILE)]
    now, acme = datetime.now(UTC), [Scope.parse("organization:acme")]
    site.database.write_blocking(lambda t: record_results(t, connection, (a_result(*findings),), now))

    def insert_keys(tx: Transaction) -> None:
        for name in HOSTILE:
            api_keys.insert_key(tx, name, ALL_PERMISSIONS, acme, now, person=name)

    site.database.write_blocking(insert_keys)


def _address(page: Page, links: set[str]) -> str | None:
    """Return the page's address; of an object, one that a page links to."""
    if "{" not in page.path:
        return page.address
    pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", page.address))
    plain = {each.address for each in PAGES}
    return min((link for link in links if pattern.fullmatch(link) and link not in plain), default=None)
