"""Acting from the page of an issue, through real Temporal, on a PagerDuty that confirms by its webhooks."""

import re

from playwright.async_api import Browser, Page, expect

from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import visiting
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.system import System, running_system


def key_of(system: System, person: str) -> str:
    return system.a_key(person=person)["Authorization"].removeprefix("Bearer ")


async def shows(page: Page, progress: str) -> None:
    """The newest entry of the timeline comes to show this; without scripts the page is asked for again."""
    newest = page.locator(".lane-entry").first
    await expect(newest).to_contain_text(progress)


async def test_without_scripts_a_person_acknowledges_resolves_and_sees_sent_and_then_confirmed(
    parts: Parts, browser: Browser
) -> None:
    async with (
        running_system(parts, webhooks=True) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        visiting(browser, address, width=360, scripts=False) as visit,
    ):
        incident = await system.page("Basket is slow")
        page, path = visit.page, f"/dashboard/issues/{system.ref(incident).issue_id}"
        page.set_default_timeout(ANSWER * 1000)
        await visit.sign_in(key_of(system, "Alice"), path)
        system.hold_webhooks()
        await page.get_by_role("button", name="Acknowledge").click()
        await expect(page.locator(".message")).to_contain_text("has not come yet")
        await shows(page, "Sent, not confirmed yet")
        await expect(page.locator("#waiting")).to_contain_text("which confirms: acknowledge by Alice")
        assert system.account.incident(incident).status == "acknowledged"
        await system.release_webhooks()
        await page.reload()
        await shows(page, "Confirmed")

        await page.get_by_role("link", name="Resolve").click()
        await page.get_by_label("How it was resolved").fill("Rolled back.")
        await page.get_by_role("button", name="Resolve #").click()
        await expect(page.locator(".message")).to_have_text(re.compile(r"^Resolve #\d+: PagerDuty did it"))
        assert system.account.incident(incident).status == "resolved"
        await system.settle()
        await page.reload()
        await expect(page.locator(".lane-entry").first).to_contain_text("resolved by Alice via Calmo")

        # Undo, and the same form sent once more, as by a double click.
        key = await page.locator('form[action$="/act/reopen"] [name=idempotency_key]').input_value()
        await page.get_by_role("button", name="Reopen").click()
        await expect(page.locator(".message")).to_have_text(re.compile(r"^Reopen #\d+: PagerDuty did it"))
        cookie = "; ".join(f"{each['name']}={each['value']}" for each in await visit.context.cookies())
        csrf = await page.locator("[name=csrf]").first.input_value()
        again = await system.http.post(
            f"{path}/act/reopen",
            data={"idempotency_key": key, "csrf": csrf},
            headers={"Cookie": cookie, "Origin": "http://calmo.test"},
        )
        assert again.status_code == 303
        assert [found["action"] for found in await system.operations(incident)] == [
            "reopen", "resolve", "acknowledge",
        ]  # fmt: skip
        # Somebody else was quicker: the form of before says so in words.
        stale = await system.http.post(
            f"{path}/act/reopen",
            data={"idempotency_key": "other", "csrf": csrf, "back": path},
            headers={"Cookie": cookie, "Origin": "http://calmo.test"},
        )
        assert stale.headers["location"] == path
        await page.reload()
        await expect(page.locator(".message-failed")).to_contain_text("only a resolved incident is reopened")


async def test_a_form_offers_the_account_s_people_and_a_note_half_typed_survives_what_others_do(
    parts: Parts, browser: Browser
) -> None:
    async with (
        running_system(parts, webhooks=True) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        visiting(browser, address) as visit,
    ):
        incident = await system.page("Basket is slow")
        page, path = visit.page, f"/dashboard/issues/{system.ref(incident).issue_id}"
        await visit.sign_in(key_of(system, "Alice"), path)
        await page.get_by_text("More", exact=True).click()
        await page.get_by_role("link", name="Reassign").click()
        user = list(system.account.users.values())[-1]
        await page.get_by_label("Person").select_option(label=user.name)
        await page.get_by_role("button", name="Reassign #").click()
        await expect(page.locator(".message")).to_have_text(re.compile(r"^Reassign #\d+: PagerDuty did it"))
        assert [assignee.id for assignee in system.account.incident(incident).assignees] == [user.id]

        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        note = page.get_by_label("New note")
        await note.press_sequentially("half a th")
        await note.evaluate("field => field.setSelectionRange(2, 6)")
        await page.locator("#raw > summary").click()
        await note.focus()
        await system.act(incident, "acknowledge")
        await expect(page.locator(".issue-state")).to_contain_text("Acknowledged")
        await expect(note).to_have_value("half a th")
        await expect(note).to_be_focused()
        selected = await note.evaluate("field => [field.selectionStart, field.selectionEnd]")
        assert selected == [2, 6]
        assert await page.locator("#raw").get_attribute("open") is not None


async def test_the_key_a_acknowledges_every_selected_issue(parts: Parts, browser: Browser) -> None:
    async with (
        running_system(parts, webhooks=True) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        visiting(browser, address) as visit,
    ):
        incidents = [
            await system.page(title) for title in ("Basket is slow", "Search is down", "Ads are old")
        ]
        await visit.sign_in(key_of(system, "Alice"), "/dashboard/issues")
        visit.page.set_default_timeout(ANSWER * 1000)
        await expect(visit.page.locator("#live")).to_have_attribute("data-state", "live")
        for key in ("j", "x", "j", "x"):
            await visit.page.keyboard.press(key)
        # Issues of the same second stand in any order. What counts is what somebody sees as selected.
        rows = visit.page.locator("tr[data-selected]")
        await expect(rows).to_have_count(2)
        selected = {await row.get_attribute("data-issue") for row in await rows.all()}
        await visit.page.keyboard.press("a")
        await expect(visit.page.locator(".message")).to_have_count(2)
        acknowledged = {
            str(system.ref(incident).issue_id)
            for incident in incidents
            if system.account.incident(incident).status == "acknowledged"
        }
        assert acknowledged == selected
