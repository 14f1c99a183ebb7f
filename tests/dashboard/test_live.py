"""Live pages: rows follow their issues, nothing moves under the reader, and a page says when it is stale."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.browser import Visit, visiting
from tests.support.builders import new_id
from tests.support.dashboard import DashboardSite
from tests.support.patience import ANSWER

FAR, BANK = "organization:far", "organization:bank"


@pytest.fixture
async def visit(site: DashboardSite, browser: Browser) -> AsyncIterator[Visit]:
    async with visiting(browser, site.address) as found:
        await found.sign_in(site.a_key(), "/dashboard/issues")
        await expect(found.page.locator("#live")).to_have_attribute("data-state", "live")
        yield found


async def keys_after(site: DashboardSite, cookie: str, after: int, count: int) -> list[str]:
    """Return the first lines of data of so many issues in the stream."""
    found: list[str] = []
    headers = {"Cookie": cookie, "Last-Event-ID": str(after)}
    async with (
        asyncio.timeout(ANSWER),
        httpx.AsyncClient(base_url=site.address, trust_env=False) as client,
        client.stream("GET", "/dashboard/stream", headers=headers, timeout=ANSWER) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: iss"):
                found.append(line.removeprefix("data: "))
            if len(found) == count:
                return found
    return found


async def test_a_row_follows_its_issue_and_keeps_its_place(site: DashboardSite, browser: Browser) -> None:
    webhook = site.webhook()
    older, newer = new_id(), new_id()
    await site.an_issue(webhook, "Older", 9, incident=older)
    await site.an_issue(webhook, "Newer", 1, incident=newer)
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(site.a_key(), "/dashboard/issues")
        await expect(visit.page.locator("#live")).to_have_attribute("data-state", "live")
        row = visit.page.locator("tr", has_text="Older")
        await row.get_by_role("link").focus()
        await site.an_issue(webhook, "Older", 0, incident=older, kind=EventType.ACKNOWLEDGED)
        await expect(row).to_contain_text("Acknowledged")
        await expect(row.get_by_role("link")).to_be_focused()
        titles = await visit.page.locator(".row-link").all_inner_texts()
        assert titles.index("Newer") < titles.index("Older")


async def test_new_rows_are_announced_and_wait(site: DashboardSite, visit: Visit) -> None:
    before = await visit.page.locator(".row-link").all_inner_texts()
    webhook = site.webhook()
    for title in ("First news", "Second news"):
        await site.an_issue(webhook, title, 0)
    news = visit.page.locator(".news")
    await expect(news).to_have_text("2 new: show")
    await expect(visit.page.locator("#announcer")).to_contain_text("new")
    assert await visit.page.locator(".row-link").all_inner_texts() == before
    await news.click()
    await expect(visit.page.locator(".row-link").first).to_have_text("Second news")


async def test_half_typed_text_survives_changes(site: DashboardSite, visit: Visit) -> None:
    webhook = site.webhook()
    incident = await site.an_issue(webhook, "Typing beside it", 0)
    await visit.page.reload()
    search = visit.page.get_by_role("searchbox")
    await search.press_sequentially("half a wo")
    await site.an_issue(webhook, "Typing beside it", 0, incident=incident, kind=EventType.RESOLVED)
    await expect(visit.page.locator("tr", has_text="Typing beside it")).to_contain_text("Resolved")
    await expect(search).to_have_value("half a wo")
    await expect(search).to_be_focused()


async def test_the_stream_carries_keys_of_what_the_caller_sees_and_resumes_after_any(
    site: DashboardSite,
) -> None:
    far, bank = site.webhook(FAR), site.webhook(BANK)
    signed_in = await site.session(site.a_key(scopes=(FAR,)))
    for number in range(3):
        await site.an_issue(bank, "secret of the bank")
        await site.an_issue(far, f"Far {number}")
    first = await keys_after(site, signed_in.cookie, 0, 3)
    assert len({key.partition(",")[0] for key in first}) == 3
    assert await keys_after(site, signed_in.cookie, int(first[0].partition(",")[2]), 2) == first[1:]
    assert all(key.replace("_", "").replace(",", "").isalnum() for key in first)


async def test_a_foreign_issue_s_row_is_not_there(site: DashboardSite) -> None:
    await site.an_issue(site.webhook(BANK), "secret of the bank")
    seen = await (await site.session(site.a_key(scopes=(BANK,)))).get("/dashboard/issues")
    row = seen.text.partition('hx-get="')[2].partition('"')[0]
    assert (await (await site.session(site.a_key(scopes=(BANK,)))).get(row)).status_code == 200
    stranger = await site.session(site.a_key(scopes=(FAR,)))
    assert (await stranger.get(row)).status_code == 404
    assert (await stranger.get(row.removesuffix("/row"))).status_code == 404
    assert "secret of the bank" not in (await stranger.get("/dashboard/issues")).text


async def test_a_stream_ends_with_its_key(site: DashboardSite, browser: Browser) -> None:
    key = site.a_key()
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key)
        live = visit.page.locator("#live")
        await expect(live).to_have_attribute("data-state", "live")
        site.revoke(key)
        await expect(live).to_have_attribute("data-state", "ended", timeout=ANSWER * 1000)
        assert "signed out" in await live.inner_text()


async def test_a_page_says_since_when_it_is_stale_and_catches_up(site: DashboardSite, visit: Visit) -> None:
    webhook, incident = site.webhook(), new_id()
    await site.an_issue(webhook, "Missed", 3, incident=incident)
    await visit.page.reload()
    live, row = visit.page.locator("#live"), visit.page.locator("tr", has_text="Missed")
    await expect(live).to_have_attribute("data-state", "live")
    closing = site.doorway.ingress.issues.closing
    closing.set()
    try:
        await expect(live).to_have_attribute("data-state", "stale", timeout=ANSWER * 1000)
        assert "stale since" in await live.inner_text()
        await site.an_issue(webhook, "Missed", 0, incident=incident, kind=EventType.RESOLVED)
        await expect(row).to_contain_text("Triggered")
    finally:
        closing.clear()
    await expect(live).to_have_attribute("data-state", "live", timeout=ANSWER * 1000)
    await expect(row).to_contain_text("Resolved")
