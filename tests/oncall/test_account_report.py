"""An account's page: stamped, limits first, figures with what they rest on, plots, nothing hostile."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from calmo_pagerduty.access.persons import NO_PERSONS
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.coverage import analysis as coverage
from calmo_pagerduty.coverage.readiness import CellState
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.model import AnalysisInputs, Entity
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall.account_figures import CELLS, CHANNELS
from calmo_pagerduty.oncall.account_report import DEFINITIONS, AccountReport, report_document
from calmo_pagerduty.oncall.account_report_html import account_html
from calmo_pagerduty.oncall.account_report_markdown import account_markdown
from calmo_pagerduty.oncall.account_report_service import NO_SNAPSHOT, AccountReportService
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.oncall.metrics_tables import MAX_ROWS, UNKNOWN, tables_of
from calmo_pagerduty.plots.model import Fill
from calmo_pagerduty.snapshots.model import ContactKind
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.trends.watch import RATE_WATCH
from tests.oncall.test_digest import HOSTILE, tags_of
from tests.support.findings import ANA, DAY, HOUR, RETAIL, a_finding, a_gap, a_result
from tests.support.rotas import NOW, paged_account, person, rota
from tests.support.snapshots import new_connection, small_snapshot, store_snapshot_of

KIM = Principal("k", frozenset({"findings:read"}), EVERYTHING, "kim")
LEAD = replace(KIM, permissions=frozenset({"findings:read", "persons:read"}))


@pytest.fixture
def connection(database: Database) -> str:
    return new_connection(database)


@pytest.fixture
async def page(database: Database, connection: str) -> AccountReport:
    """The page after all analyses have run on a small account."""
    snapshot = store_snapshot_of(database, small_snapshot(connection_id=connection))
    results = [analyse(snapshot, snapshot.taken_at) for analyse in ANALYSES.values()]
    await FindingService(database).record(connection, *results)
    return await report(database, connection)


async def report(database: Database, connection: str, reader: Principal = LEAD) -> AccountReport:
    made = await AccountReportService(database, SnapshotReader(database)).make(reader, connection)
    assert made is not None
    return made


def test_each_analysis_is_defined() -> None:
    # The watch runs between two runs, so it isn't one of their analyses.
    assert set(DEFINITIONS) == {*ANALYSES, RATE_WATCH}


async def test_the_page_shows_every_analysis_with_what_it_rests_on(page: AccountReport) -> None:
    html, markdown = account_html(page), account_markdown(page)
    for text in (html, markdown):
        assert "kim" in text and page.scope in text
        for part in page.parts:
            assert part.definition.title in text
            assert part.snapshot_id in text and part.digest[:16] in text
            assert all(str(count) in text for count in part.counts.values())
    assert html.count("<svg") == len(page.figures) == 3
    assert {part.analysis for part in page.parts} == set(ANALYSES)
    assert [item["analysis"] for item in report_document(page)["analyses"]] == sorted(ANALYSES)


async def test_the_page_runs_nothing_and_loads_nothing(page: AccountReport) -> None:
    html = account_html(page)
    for word in ("<script", " src=", "url(http", "@import", ' style="', " onclick"):
        assert word not in html
    # On paper it is light, whatever the screen is.
    assert "@media screen and (prefers-color-scheme:dark)" in html and "@media print" in html


async def test_what_could_not_be_seen_comes_first(database: Database, connection: str) -> None:
    inputs = AnalysisInputs({"users": 1}, 0, truncated=("incidents",), missing_permissions=("users",))
    await FindingService(database).record(connection, a_result(a_gap(), inputs=inputs))
    made = await report(database, connection)
    assert len(made.limits) == 3
    assert NO_SNAPSHOT in made.limits
    for text in (account_html(made), account_markdown(made)):
        assert 0 < text.index("What could not be seen") < text.index("Open findings")


async def test_nothing_analysed_is_said_and_a_foreign_account_is_not_there(
    database: Database, connection: str
) -> None:
    made = await report(database, connection)
    assert made.limits == ("no analysis has run yet",)
    service = AccountReportService(database, SnapshotReader(database))
    assert await service.make(KIM, "con_none") is None


async def test_persons_are_shown_to_whom_may_see_them(database: Database, connection: str) -> None:
    burdened = a_finding("PANA", code="nights", title="Ana Lima", entities=(ANA, RETAIL), about_persons=True)
    await FindingService(database).record(connection, a_result(burdened))
    assert KIM.persons == NO_PERSONS
    for reader, seen in ((LEAD, True), (KIM, False)):
        made = await report(database, connection, reader)
        for text in (account_html(made), account_markdown(made), str(report_document(made))):
            assert ("Ana" in text) is seen


async def test_hostile_texts_stay_texts(database: Database, connection: str) -> None:
    entity = Entity("policy", "P1", HOSTILE, "javascript:alert(1)")
    evil = a_gap(title=HOSTILE, recommendation=HOSTILE, how_to_verify=HOSTILE, entities=(entity,))
    metrics = {HOSTILE: HOSTILE, "rows": [{"a|b": HOSTILE, "n": 1}]}
    await FindingService(database).record(connection, a_result(evil, metrics=metrics))
    made = await report(database, connection)
    assert tags_of(account_html(made)).isdisjoint({"script", "a", "img", "iframe", "link"})
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(account_markdown(made))
    allowed = {"h1", "h2", "h3", "p", "ul", "li", "strong", "em", "code"}
    assert tags_of(rendered) <= allowed | {"table", "thead", "tbody", "tr", "th", "td", "a"}
    # Links lead to our own plots only.
    links = re.findall(r'href="([^"]*)"', rendered)
    assert links and all(link.startswith(f"/api/connections/{connection}/") for link in links)
    assert "\x1b" not in account_html(made) + account_markdown(made)


def test_an_unknown_figure_is_not_zero() -> None:
    metrics = {"covered": None, "share": [0.25, 0.5], "deep": {"a": [1, 2, 3], "b": True}}
    assert [table.rows for table in tables_of(metrics, {})] == [
        (("covered", UNKNOWN), ("share", "0.25 to 0.5")),
        (("b", "yes"),),
    ]


def test_a_long_table_says_how_much_is_left_out() -> None:
    rows = [{"gap": number, "policy_id": f"P{number}"} for number in range(MAX_ROWS + 7)]
    [table] = tables_of({"policies": rows}, {"P0": "Payments"})
    assert (table.columns, table.rows[0], table.omitted) == (("policy", "gap"), ("Payments", "0"), 7)


def test_the_page_is_the_same_at_the_same_moment(database: Database, connection: str) -> None:
    at = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())

    async def made() -> str:
        await FindingService(database).record(connection, a_result(a_gap()))
        return account_html(replace(await report(database, connection), made_at=at))

    first, second = asyncio.run(made()), asyncio.run(made())
    assert first == second


async def test_the_page_draws_readiness_and_pages_for_whom_they_may_be_shown(
    database: Database, connection: str
) -> None:
    schedule = rota("S1", ("U1", "U2", "U3", "U4"), turn=DAY)
    turns = [entry for entry in schedule.entries or () if NOW - 20 * DAY < entry.start < NOW - DAY]
    paged = [(entry.user_id, entry.start + 5 * HOUR) for entry in turns]
    people = [replace(user, name=f"Person {user.id}") for user in map(person, ("U1", "U2", "U3", "U4"))]
    snapshot = paged_account(schedule, paged, users=people)
    store_snapshot_of(database, replace(snapshot, id=f"snap_{connection}", connection_id=connection))
    await FindingService(database).record(
        connection, coverage.analyse(replace(snapshot, id=f"snap_{connection}"), NOW)
    )
    whole = await report(database, connection)
    assert [figure.id for figure in whole.figures] == ["policies", "schedules", "readiness", "pages-S1"]
    html = account_html(whole)
    assert html.count("<svg") == 4 and "chance alone brings 95 %" in html
    assert "Person U1" in whole.figures[2].description
    hidden = await report(database, connection, KIM)
    assert "readiness" not in {figure.id for figure in hidden.figures}
    assert all("Person U" not in figure.description for figure in hidden.figures[2:])
    linked = account_markdown(whole)
    assert f"(/api/connections/{connection}/coverage/schedules.svg?days=7)" in linked


def test_every_state_of_a_channel_is_drawn() -> None:
    assert set(CELLS) == set(CellState)
    assert set(CHANNELS) == set(ContactKind)
    assert CELLS[CellState.UNKNOWN][0] is Fill.UNKNOWN
