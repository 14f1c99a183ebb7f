"""The schedules of reports on the page of reports, with real Temporal."""

from playwright.async_api import Browser, expect

from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import visiting
from tests.support.parts import Parts
from tests.support.snapshots import small_snapshot, store_snapshot
from tests.support.system import running_system


async def test_a_report_is_put_on_a_schedule_and_taken_off_without_scripts(
    parts: Parts, browser: Browser
) -> None:
    async with (
        running_system(parts) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        visiting(browser, address, scripts=False) as visit,
    ):
        connection = store_snapshot(system.database, small_snapshot()).connection_id
        key = system.a_key(person="Olga")["Authorization"].removeprefix("Bearer ")
        await visit.sign_in(key, f"/dashboard/reports?connection={connection}")
        page, schedules = visit.page, visit.page.locator("#schedules")
        await expect(schedules).to_contain_text("No report is made on a schedule")
        for every, shown in (("month", "-01 "), ("never", "No report is made on a schedule")):
            await page.get_by_label("Report", exact=True).select_option(label="Service review")
            await page.get_by_label("Made every").select_option(value=every)
            await page.get_by_role("button", name="Keep").click()
            await expect(page.locator(".message")).to_contain_text("Service review is made")
            await expect(schedules).to_contain_text(shown)
