"""A newcomer's way: connect PagerDuty, generate a webhook, test it, see an incident. Without scripts."""

import contextlib
from collections.abc import AsyncIterator

import httpx
from playwright.async_api import Browser, expect

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.tables import connections
from tests.support.browser import visiting
from tests.support.connected import TOKEN
from tests.support.dashboard import DashboardSite
from tests.support.doors import Doorway
from tests.support.parts import Parts
from tests.support.patience import ANSWER, STORY
from tests.support.webhook_service import WebhookService, running_webhook_service


@contextlib.asynccontextmanager
async def a_new_service(parts: Parts) -> AsyncIterator[tuple[WebhookService, DashboardSite]]:
    """A service beside a simulated PagerDuty, to which nothing is connected yet."""
    async with running_webhook_service(parts) as service:
        forget_connections(service.ingress.services.database)
        system = service.tools
        doorway = Doorway(service.ingress, system.database, system.keyring, system.http)
        async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=ANSWER) as client:
            yield service, DashboardSite(doorway, service.url, client)
            service.ingress.close()


def forget_connections(database: Database) -> None:
    database.write_blocking(lambda t: t.execute(connections.delete()))


async def test_a_newcomer_connects_makes_a_webhook_tests_it_and_sees_an_incident(
    parts: Parts, browser: Browser
) -> None:
    async with (
        a_new_service(parts) as (service, site),
        visiting(browser, site.address, scripts=False) as visit,
    ):
        page = visit.page
        page.set_default_timeout(STORY * 1000)
        await visit.sign_in(site.a_key())
        await visit.screenshot("first-now")
        await page.get_by_role("link", name="Connect PagerDuty").click()
        await page.get_by_label("Service region").select_option("simulator")
        await page.get_by_label("Token", exact=True).fill(TOKEN)
        await page.get_by_role("button", name="Test the token and connect").click()
        await page.get_by_role("link", name="Generate a webhook").click()
        await visit.screenshot("first-webhook")
        await page.get_by_role("button", name="Generate").click()
        await expect(page.get_by_text("Nothing is left to do by hand")).to_be_visible()
        address = await page.get_by_label("The webhook's address").input_value()
        assert address.startswith(f"{service.url}/webhooks/pagerduty/wh_")
        await visit.screenshot("first-made")
        await page.get_by_role("button", name="Test it from end to end").click()
        await expect(page.get_by_text("It works from end to end")).to_be_visible(timeout=STORY * 1000)
        await expect(page.get_by_role("listitem").filter(has_text="Ping")).to_contain_text("verified")
        await visit.screenshot("first-tested")
        service.tools.account.trigger(next(iter(service.tools.account.services)), "Basket is slow")
        await service.tools.site.sender.drained(STORY)
        await page.get_by_role("link", name="The webhook's page").click()
        await expect(page.get_by_text("Armed", exact=True).first).to_be_visible()
        await visit.screenshot("first-webhook-page")
