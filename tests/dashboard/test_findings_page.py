"""The pages of findings: the inbox, a finding, and what somebody decides, with and without scripts."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.findings.service import record_results
from tests.support.browser import visiting
from tests.support.connected import add_connection
from tests.support.dashboard import DashboardSite
from tests.support.findings import a_finding, a_gap, a_result

HOSTILE = '<img src=x onerror="alert(1)"> \u202eon call'


@pytest.fixture(scope="module")
async def key(site: DashboardSite) -> str:
    """A key of a person who sees three findings."""
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme")
    found = (a_gap(), a_finding("PHOSTILE", code="dead_end", title=HOSTILE), a_finding("PLAST", code="lint"))
    site.database.write_blocking(
        lambda t: record_results(t, connection, (a_result(*found),), datetime.now(UTC))
    )
    return site.a_key(person="PUSER1")


async def test_findings_look_right(site: DashboardSite, key: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, "/dashboard/findings")
        assert await visit.looks_wrong("findings") == []
        await visit.page.locator(".row-link").first.click()
        await visit.page.wait_for_url("**/findings/*")
        assert await visit.looks_wrong("finding") == []


async def test_a_finding_is_dismissed_and_the_decision_undone_without_scripts(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/findings?analysis=coverage")
        assert await visit.page.locator(".row-link").count() == 3
        await visit.page.get_by_role("link", name="<img src=x").click()
        await expect(visit.page.get_by_role("heading", level=1)).to_have_text(
            '<img src=x onerror="alert(1)"> on call'
        )
        await visit.page.get_by_label("Reason").fill("The team is new.")
        await visit.page.get_by_role("button", name="Dismiss").click()
        await expect(visit.page.get_by_role("status").last).to_contain_text("Dismissed.")
        await expect(visit.page.get_by_text("The team is new.").first).to_be_visible()
        await visit.page.get_by_role("button", name="Undo the decision").click()
        await expect(visit.page.get_by_role("button", name="Dismiss")).to_be_visible()


async def test_what_a_form_lacks_is_said_on_its_page(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    listed = (await session.get("/dashboard/findings?download=csv")).text
    assert listed.count("\r\n") == 4
    answer = await session.post(
        "/dashboard/findings/1/dismiss", {"reason": "   ", "back": "/dashboard/findings/1"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/findings/1")
    assert "Nothing was done: reason:" in (await session.get("/dashboard/findings/1")).text


async def test_deciding_needs_its_permission(site: DashboardSite, key: str) -> None:
    session = await site.session(site.a_key("findings:read", "issues:read"))
    assert "needs the permission findings:write" in (await session.get("/dashboard/findings/1")).text
    assert (await session.post("/dashboard/findings/1/accept")).status_code == 403
    foreign = await site.session(site.a_key(scopes=("organization:other",)))
    assert (await foreign.get("/dashboard/findings/1")).status_code == 404
