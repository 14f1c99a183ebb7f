"""The keyboard: a cursor that stays on its issue, keys that go and act, silent while typing and when off."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import Visit, visiting
from tests.support.connected import WRITES_ON, add_connection
from tests.support.dashboard import DashboardSite


@pytest.fixture(scope="module")
async def webhook(site: DashboardSite) -> str:
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme", rules=WRITES_ON)
    webhook = site.webhook(connection_id=connection)
    for number, title in enumerate(("Third", "Second", "First")):
        await site.an_issue(webhook, title, 30 - number, number=100 + number)
    return webhook


@pytest.fixture
async def visit(site: DashboardSite, webhook: str, browser: Browser) -> AsyncIterator[Visit]:
    async with visiting(browser, site.address) as found:
        await found.sign_in(site.a_key(), "/dashboard/issues")
        await expect(found.page.locator("#live")).to_have_attribute("data-state", "live")
        yield found


async def test_by_keys_alone_somebody_finds_an_issue_and_comes_to_its_forms(
    site: DashboardSite, webhook: str, visit: Visit
) -> None:
    page = visit.page
    press = page.keyboard.press
    await press("j")
    await press("j")
    await press("x")
    await expect(page.locator("tr[data-selected]")).to_contain_text("Second")
    await site.an_issue(webhook, "Newest", 0)
    await page.reload()
    await press("j")
    await expect(page.locator(".row-link:focus")).to_have_text("Third")
    await press("k")
    await press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Second")
    await press("]")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Third")
    await press("[")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Second")
    await press("n")
    await page.keyboard.type("gnjr?")
    await expect(page.get_by_label("New note")).to_have_value("gnjr?")
    await page.get_by_label("New note").blur()
    await press("r")
    await expect(page.get_by_role("button", name="Resolve #101")).to_be_visible()
    await press("g")
    await press("i")
    await page.wait_for_url("**/dashboard/issues")
    theme = await page.locator("html").get_attribute("data-theme")
    await press("t")
    await expect(page.locator("html")).not_to_have_attribute("data-theme", theme or "")
    await press("j")
    await press("e")
    await page.wait_for_url("**/act/escalate")
    await press("/")
    await page.keyboard.type("third")
    await press("Enter")
    await expect(page.locator(".row-link")).to_have_text("Third")
    await page.get_by_role("searchbox").blur()
    await press("g")
    await press("n")
    await page.wait_for_url("**/dashboard/now")


async def test_the_palette_finds_issues_and_the_keys_can_be_switched_off(visit: Visit) -> None:
    page = visit.page
    await page.keyboard.press("Control+k")
    await page.keyboard.type("third")
    await expect(page.locator("dialog a")).to_have_text(["Third"])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Third")
    await page.keyboard.press("?")
    assert await visit.looks_wrong("keyboard-help") == []
    await page.get_by_label("Single keys do something").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Keyboard").click()
    await expect(page.get_by_label("Single keys do something")).not_to_be_checked()
