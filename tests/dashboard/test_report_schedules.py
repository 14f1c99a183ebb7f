"""Schedules, address and ranges of reports on the page of reports, with real Temporal."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from ingress.app import build_app
from ingress.reconciliation import kept_schedules
from ingress.reports.report_schedules import list_schedules
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import visiting
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.snapshots import small_snapshot, store_snapshot
from tests.support.system import running_system


async def test_reports_are_scheduled_sent_somewhere_and_made_of_a_range_without_scripts(
    parts: Parts, browser: Browser, monkeypatch: pytest.MonkeyPatch
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
        message = page.locator(".message")
        await expect(schedules).to_contain_text("No report is made on a schedule")
        for every, days, shown in (
            ("month", "14", ("-01 ", "the 14 days before")),
            ("never", "", ("No report is made on a schedule",)),
            ("week", "", ("the 30 days before",)),
        ):
            await page.get_by_label("Report", exact=True).select_option(label="Service review")
            await page.get_by_label("Made every").select_option(value=every)
            await page.get_by_label("If weekly, on").select_option(label="Friday")
            await page.get_by_label("About the last days").fill(days)
            await page.get_by_role("button", name="Keep").click()
            await expect(message).to_contain_text("Service review is made")
            for words in shown:
                await expect(schedules).to_contain_text(words)

        there = "https://reports.example/calmo"
        await page.get_by_label("Address", exact=True).fill("https://10.0.0.1/calmo")
        await page.get_by_role("button", name="Send them there").click()
        await expect(message).to_contain_text("private network")
        await page.get_by_label("Address", exact=True).fill(there)
        await page.get_by_role("button", name="Send them there").click()
        secret = await page.locator("#secret").input_value()
        await page.get_by_role("link", name="I have copied it").click()
        await expect(page.locator("#address")).to_contain_text(there)
        assert secret not in await page.content()
        await page.get_by_role("button", name="Send them nowhere").click()
        await expect(page.locator("#address")).to_contain_text("Nowhere yet")

        cookie = "; ".join(f"{each['name']}={each['value']}" for each in await visit.context.cookies())
        asked = {
            "connection": connection,
            "from": "2026-01-05",
            "to": "2026-01-06",
            "by": "team",
            "days": "7",
        }
        path = "/dashboard/reports/weekly-operations/file"
        made = await system.http.get(path, params={**asked, "format": "md"}, headers={"Cookie": cookie})
        assert "2026-01-04 23:00 UTC to 2026-01-06 23:00 UTC; by team" in made.text

        # What is scheduled ends with its connection.
        assert len(await list_schedules(system.temporal, connection)) == 1
        await system.http.delete(f"/api/connections/{connection}", headers=system.headers)
        monkeypatch.setattr(kept_schedules, "KEEP_AGAIN", timedelta())

        async def left() -> int:
            await system.ingress.oncall_scheduler.schedule_once()
            return len(await list_schedules(system.temporal, connection))

        await eventually(left, lambda count: count == 0)
