"""What the pages show and do, with and without scripts, and their downloads."""

import csv
import io
import re
from collections import Counter

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.access.saved_view_store import MAX_VIEWS
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.dashboard.rendering import TEMPLATES
from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite


@pytest.fixture(scope="module")
async def key(site: DashboardSite) -> str:
    """A key of somebody with issues to look at."""
    webhook = site.webhook()
    await site.an_issue(webhook, '=cmd|"/c calc"!A1 | <script>alert(1)</script>', 3, priority_name="P1")
    await site.an_issue(webhook, "Quiet one\u202e\u200b", 9, priority_name="P5")
    await site.an_issue(webhook, "Over", 30, kind=EventType.RESOLVED)
    return site.a_key(person="PUSER1")


def test_every_cell_of_tables_has_a_name_of_its_own() -> None:
    # The later of two would silently be drawn for both.
    names = re.findall(r"{% macro (\w+)\(", (TEMPLATES / "cells.html").read_text())
    assert [name for name, times in Counter(names).items() if times > 1] == []


async def test_everything_can_be_read_and_filtered_without_scripts(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, scripts=False) as visit:
        await visit.sign_in_by_form(key)
        await expect(visit.page.locator(".live-text")).to_contain_text("as of")
        await visit.page.get_by_role("link", name="Issues", exact=True).click()
        assert await visit.page.locator(".row-link").count() == 3
        await visit.page.get_by_text("Filters").click()
        await visit.page.get_by_role("link", name="Critical 1").click()
        await expect(visit.page).to_have_url(f"{site.address}/dashboard/issues?severity=critical")
        assert await visit.page.locator(".row-link").count() == 1
        await visit.page.locator(".row-link").click()
        await expect(visit.page.get_by_role("heading", level=1)).to_contain_text("<script>")
        await visit.page.get_by_role("searchbox").fill("quiet")
        await visit.page.get_by_role("searchbox").press("Enter")
        await expect(visit.page.locator(".row-link")).to_have_text("Quiet one")
        await visit.page.get_by_role("button", name="Sign out").click()
        await expect(visit.page).to_have_url(f"{site.address}/dashboard/sign-in")


async def test_somebody_names_filters_as_a_view_of_their_own_which_others_do_not_see(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360) as visit:
        await visit.sign_in(key, "/dashboard/issues?severity=critical&text=calc")
        page = visit.page
        await page.get_by_text("Save this view").click()
        await page.get_by_label("Name").fill(" Calculators  at night ")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.locator(".views [aria-current]")).to_have_text("Calculators at night")
        await page.get_by_role("link", name="Open", exact=True).click()
        await page.get_by_role("link", name="Calculators at night").click()
        await expect(page).to_have_url(f"{site.address}/dashboard/issues?severity=critical&text=calc")
        assert await visit.looks_wrong("own-view") == []
        other = await site.session(site.a_key(person="PUSER2"))
        assert "Calculators" not in (await other.get("/dashboard/issues")).text
        again = await site.session(site.a_key(person="puser1"))
        assert "Calculators" in (await again.get("/dashboard/issues")).text
        await page.get_by_role("button", name="Delete this view").click()
        await expect(page.get_by_role("link", name="Calculators at night")).to_have_count(0)

        for number in range(MAX_VIEWS):
            await again.post(f"/dashboard/issues/views?text={number}", {"name": str(number)})
        refused = await again.post(
            "/dashboard/issues/views?text=x", {"name": "one more", "back": "/dashboard/issues"}
        )
        assert refused.status_code == 303
        assert "delete one first" in (await again.get("/dashboard/issues")).text
        wrong = await again.post("/dashboard/issues/views?severity=purple", {"name": "wrong"})
        assert wrong.status_code == 400


async def test_the_theme_is_chosen_without_a_script_and_stays(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/issues")
        for theme, background in (("light", "rgb(246, 247, 248)"), ("dark", "rgb(16, 20, 23)")):
            await visit.page.get_by_role("button", name="Theme").click()
            await expect(visit.page.locator("html")).to_have_attribute("data-theme", theme)
            await expect(visit.page.locator("body")).to_have_css("background-color", background)
        await expect(visit.page).to_have_url(f"{site.address}/dashboard/issues")


async def test_a_one_time_link_signs_in_at_once(site: DashboardSite, key: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.goto(site.a_link(key))
        await expect(visit.page).to_have_url(f"{site.address}/dashboard/now")
        await expect(visit.page.locator(".headline")).to_contain_text("PUSER1")


async def test_a_table_comes_as_csv_that_no_spreadsheet_computes(site: DashboardSite, key: str) -> None:
    signed_in = await site.session(key)
    answer = await signed_in.get("/dashboard/issues?severity=critical&download=csv&table=issues")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="issues-')
    heading, row = csv.reader(io.StringIO(answer.text))
    assert heading == ["Severity", "Issue", "Status", "Service", "With", "Began"]
    assert row[:2] == ["Critical", '\'=cmd|"/c calc"!A1 | <script>alert(1)</script>']


async def test_a_table_comes_as_markdown(site: DashboardSite, key: str) -> None:
    signed_in = await site.session(key)
    text = (await signed_in.get("/dashboard/issues?severity=critical&download=md")).text
    lines = text.splitlines()
    assert lines[0] == "| Severity | Issue | Status | Service | With | Began |"
    assert len(lines) == 3
    assert '=cmd\\|"/c calc"!A1 \\| &lt;script>' in lines[2]
    assert (await signed_in.get("/dashboard/issues?download=csv&table=other")).status_code == 404


async def test_a_filter_that_does_not_exist_is_explained(site: DashboardSite, key: str) -> None:
    answer = await (await site.session(key)).get("/dashboard/issues?severity=loud")
    assert answer.status_code == 400
    assert "severity" in answer.text


async def test_pages_follow_one_another(site: DashboardSite, key: str) -> None:
    signed_in = await site.session(key)
    first = (await signed_in.get("/dashboard/issues?limit=2")).text
    older = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await signed_in.get(older)).text
    assert (first.count("row-link"), second.count("row-link")) == (2, 1)
    assert 'rel="next"' not in second
