"""The page of patterns with something on it: the advice is said in words, and the page looks right."""

from playwright.async_api import Browser, expect

from calmo_pagerduty.snapshots.model import Service
from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME
from tests.support.past_incidents import PastWriter
from tests.support.snapshots import store_snapshot


async def test_the_advice_stands_on_the_page(site: DashboardSite, browser: Browser) -> None:
    past = PastWriter()
    for week in range(8):
        for cycle in range(4):
            past.add(week * 10_080 + 12 * cycle, 2.5, kind="flap")
        past.add(week * 10_080 + 3000, 30, by="PADA", service="PWARE", pages=3)
        for number in range(3):
            past.add(week * 10_080 + 5000 + number, 40, by="PADA", service="PWARE")
    services = (
        Service("PSHOP", "Basket <b>", None, "active", "PPOL"),
        Service("PWARE", "Warehouse stock", None, "active", "PPOL"),
    )
    store_snapshot(site.database, past.snapshot(*services))
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(site.a_key(person="PADA", scopes=(ACME,)), "/dashboard/trends/patterns")
        row = visit.page.get_by_role("table", name="Pauses worth setting").get_by_role("row").nth(1)
        await expect(row).to_contain_text("service setting, 3 min")
        await expect(row).to_contain_text("32 of your last 80")
        assert await visit.looks_wrong("patterns") == []
