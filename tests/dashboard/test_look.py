"""Pages of the dashboard in both themes and at both widths: nothing goes wrong, and axe finds no fault."""

import contextlib
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite

#: Pages without a parameter in their address. A page of an object is added by a test of its own.
PAGES = ("/dashboard/now", "/dashboard/issues", "/dashboard/issues?status=resolved", "/dashboard/nowhere")


@pytest.fixture(scope="module")
async def key(site: DashboardSite) -> str:
    """A key of somebody with issues to look at."""
    webhook = site.webhook()
    shown = (
        ("Order database refuses writes", "P1", 42),
        ("Checkout API: latency above 900 ms in eu-west-1 since the deployment of 17:02", "P3", 12),
        ("Image CDN: <b>product</b> pictures time out", "P5", 3),
        ("A backup took longer than usual", None, 61),
    )
    for title, priority, minutes in shown:
        await site.an_issue(webhook, title, minutes, priority_name=priority)
    return site.a_key(person="PUSER1")


async def test_pages_look_right(site: DashboardSite, key: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.goto("/dashboard/sign-in")
        assert await visit.looks_wrong("sign-in") == []
        await visit.sign_in(key, then=None)
        for path in PAGES:
            with visit.expecting_problems() if "nowhere" in path else contextlib.nullcontext():
                await visit.goto(path)
            name = path.rpartition("/")[2].replace("?", "-")
            assert await visit.looks_wrong(name) == [], path
        await visit.goto("/dashboard/issues")
        await visit.page.locator(".row-link").first.click()
        await visit.page.wait_for_url("**/issues/iss*")
        assert await visit.looks_wrong("issue") == []
        issue = urlsplit(visit.page.url).path
        for page in ("replay", "post-incident"):
            await visit.goto(f"{issue}/{page}")
            assert await visit.looks_wrong(f"issue-{page}") == [], page
