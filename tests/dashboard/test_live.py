"""Live pages: rows follow their issues, nothing moves under the reader, and a page says when it is stale."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Request, Route, expect

from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.browser import Visit, visiting
from tests.support.builders import an_event, new_id
from tests.support.connected import add_connection
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME, save_pending
from tests.support.eventually import eventually
from tests.support.patience import ANSWER

FAR, BANK = "organization:far", "organization:bank"

#: In a storm so many issues change so often; every tenth event is about the one that is read.
STORMY_ISSUES, EVENTS_A_SECOND = 20, 200
BATCH = 20


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
        httpx.AsyncClient(base_url=site.address, trust_env=False, timeout=ANSWER) as client,
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


async def test_what_changes_while_a_page_is_read_is_shown_in_it(
    site: DashboardSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, incident = site.webhook(), new_id()
    await site.an_issue(webhook, "Changed meanwhile", 9, incident=incident)
    issues = site.doorway.ingress.issues
    read_list = issues.list

    async def read_list_before_a_change(*arguments: Any) -> Any:
        found = await read_list(*arguments)
        await site.an_issue(webhook, "Changed meanwhile", 0, incident=incident, kind=EventType.ACKNOWLEDGED)
        return found

    monkeypatch.setattr(issues, "list", read_list_before_a_change)
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(site.a_key(), "/dashboard/issues")
        row = visit.page.locator("tr", has_text="Changed meanwhile")
        await expect(row).to_contain_text("Acknowledged")


async def test_the_stream_begins_once_somebody_listens(site: DashboardSite, browser: Browser) -> None:
    """However late our own script comes."""
    htmx_is_there = asyncio.Event()
    state_at_its_beginning: list[str | None] = []
    async with visiting(browser, site.address) as visit:
        page = visit.page

        async def come_late(route: Route) -> None:
            await htmx_is_there.wait()
            for _ in range(3):
                await page.evaluate("() => new Promise((done) => setTimeout(done))")
            await route.continue_()

        async def begin(route: Route) -> None:
            state_at_its_beginning.append(await page.locator("#live").get_attribute("data-state"))
            await route.continue_()

        def note(request: Request) -> None:
            if "hx-sse" in request.url:
                htmx_is_there.set()

        page.on("requestfinished", note)
        await page.route("**/live.*.js", come_late)
        await page.route("**/stream?*", begin)
        await visit.sign_in(site.a_key(), "/dashboard/issues")
        await eventually(lambda: asyncio.sleep(0, state_at_its_beginning))
    assert state_at_its_beginning == ["live"]


async def test_a_row_that_could_not_be_fetched_is_fetched_again(site: DashboardSite, visit: Visit) -> None:
    webhook, incident = site.webhook(), new_id()
    await site.an_issue(webhook, "Unreachable for a moment", 3, incident=incident)
    await visit.page.reload()
    answers = iter((503, None))

    async def fail_once(route: Route) -> None:
        status = next(answers, None)
        await (route.fulfill(status=status, body="<p>not now</p>") if status else route.continue_())

    row = visit.page.locator("tr", has_text="Unreachable for a moment")
    with visit.expecting_problems():
        await visit.page.route("**/row", fail_once)
        await site.an_issue(
            webhook, "Unreachable for a moment", 0, incident=incident, kind=EventType.RESOLVED
        )
        await expect(row).to_contain_text("Resolved")


async def test_new_rows_are_announced_and_wait(site: DashboardSite, visit: Visit) -> None:
    before = await visit.page.locator(".row-link").all_inner_texts()
    webhook = site.webhook()
    for title in ("First news", "Second news"):
        await site.an_issue(webhook, title, 0)
    news = visit.page.locator(".news")
    await expect(news).to_have_text("2 new: show")
    await expect(visit.page.locator("#announcer")).to_contain_text("new")
    # Only a new critical issue interrupts a reader at once.
    await expect(visit.page.locator("#alarm")).to_be_empty()
    await site.an_issue(webhook, "Everything is down", 0, priority_name="P1")
    alarm = visit.page.locator("#alarm[aria-live=assertive]")
    await expect(alarm).to_have_text("New critical issue: Everything is down")
    assert await visit.page.locator(".row-link").all_inner_texts() == before
    await news.click()
    await expect(visit.page.locator(".row-link").first).to_have_text("Everything is down")


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


@pytest.mark.parametrize("events", [300, pytest.param(60 * EVENTS_A_SECOND, marks=pytest.mark.torture)])
async def test_a_storm_leaves_a_half_typed_note_as_it_is_and_each_change_is_seen(
    site: DashboardSite, browser: Browser, events: int
) -> None:
    connection = add_connection(site.database, site.doorway.keyring, ACME)
    webhook = site.webhook(connection_id=connection)
    incidents = [await site.an_issue(webhook, "Before the storm", 9) for _ in range(STORMY_ISSUES)]
    read = IncidentRef(connection_id=connection, incident_id=incidents[0])
    async with visiting(browser, site.address) as visit:
        page = visit.page
        await visit.sign_in(site.a_key(), f"/dashboard/issues/{read.issue_id}")
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        await page.evaluate("""() => {
            window.seen = [];
            document.addEventListener("issue", (event) => window.seen.push(event.detail.data));
        }""")
        note = page.get_by_label("New note")
        await note.press_sequentially("half a thought")
        await note.evaluate("""field => {
            field.setSelectionRange(2, 6, "backward");
            window.lost = [];
            for (const kind of ["blur", "input"]) field.addEventListener(kind, () => window.lost.push(kind));
        }""")
        await storm(site, webhook, incidents, events)
        seen = await eventually(lambda: page.evaluate("window.seen"), lambda found: len(found) >= events)
        assert len({each.partition(",")[2] for each in seen}) == len(seen) == events
        await expect(page.get_by_role("heading", level=1)).to_contain_text(f"Change {events - 10}")
        await expect(page.locator("#headline")).to_contain_text("open")
        assert await page.evaluate("window.lost") == []
        await expect(note).to_be_focused()
        where = "field => [field.value, field.selectionStart, field.selectionEnd, field.selectionDirection]"
        assert await note.evaluate(where) == ["half a thought", 2, 6, "backward"]
        await page.keyboard.type("ndy ")
        await expect(note).to_have_value("handy  thought")


async def storm(site: DashboardSite, webhook: str, incidents: list[str], events: int) -> None:
    """Change issues so often, or as fast as the machine can; every tenth event is about the first one."""
    begun = time.monotonic()
    for first in range(0, events, BATCH):
        for number in range(first, first + BATCH):
            incident = incidents[0] if number % 10 == 0 else incidents[number % len(incidents)]
            event = an_event(EventType.ESCALATED, incident, title=f"Change {number}")
            await site.doorway.deliver(webhook, event)
        await asyncio.to_thread(save_pending, site.database)
        await eventually(_has_come(begun + (first + BATCH) / EVENTS_A_SECOND))


def _has_come(moment: float) -> Callable[[], Awaitable[bool]]:
    return lambda: asyncio.sleep(0, time.monotonic() >= moment)


async def test_the_line_at_the_top_follows_what_happens_and_keeps_its_focus(
    site: DashboardSite, visit: Visit
) -> None:
    line = visit.page.locator("#headline")
    count = visit.page.get_by_role("link", name="open", exact=False).first
    before = int((await count.inner_text()).split()[0])
    await count.focus()
    await site.an_issue(site.webhook(), "One more", 0)
    await expect(line).to_contain_text(f"{before + 1} open")
    await expect(count).to_be_focused()


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
    row = seen.text.partition("<tbody>")[2].partition('hx-get="')[2].partition('"')[0]
    assert (await (await site.session(site.a_key(scopes=(BANK,)))).get(row)).status_code == 200
    stranger = await site.session(site.a_key(scopes=(FAR,)))
    assert (await stranger.get(row)).status_code == 404
    assert (await stranger.get(row.removesuffix("/row"))).status_code == 404
    assert "secret of the bank" not in (await stranger.get("/dashboard/issues")).text


async def test_a_stream_that_did_not_begin_begins_later(site: DashboardSite, browser: Browser) -> None:
    failures = iter((429, 503))

    async def fail_twice(route: Route) -> None:
        status = next(failures, None)
        await (route.fulfill(status=status) if status else route.continue_())

    webhook, incident = site.webhook(), new_id()
    await site.an_issue(webhook, "Seen later", 3, incident=incident)
    async with visiting(browser, site.address) as visit:
        with visit.expecting_problems():
            await visit.page.route("**/stream?*", fail_twice)
            await visit.sign_in(site.a_key(), "/dashboard/issues")
            await site.an_issue(webhook, "Seen later", 0, incident=incident, kind=EventType.RESOLVED)
            await expect(visit.page.locator("tr", has_text="Seen later")).to_contain_text("Resolved")


async def test_a_stream_ends_with_its_key(site: DashboardSite, browser: Browser) -> None:
    key = site.a_key()
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key)
        live = visit.page.locator("#live")
        await expect(live).to_have_attribute("data-state", "live")
        site.revoke(key)
        await expect(live).to_have_attribute("data-state", "ended")
        # Nor does the page ask for it again, which would be an error on its console.
        assert "signed out" in await live.inner_text()


async def test_a_page_says_since_when_it_is_stale_and_catches_up(
    site: DashboardSite, browser: Browser
) -> None:
    webhook, incident = site.webhook(), new_id()
    await site.an_issue(webhook, "Missed", 3, incident=incident)
    async with visiting(browser, site.address, moves_time=True) as visit:
        await visit.sign_in(site.a_key(), "/dashboard/issues")
        live, row = visit.page.locator("#live"), visit.page.locator("tr", has_text="Missed")
        await expect(live).to_have_attribute("data-state", "live")
        closing = site.doorway.ingress.issues.closing
        closing.set()
        try:
            await visit.page.clock.fast_forward(9000)
            await expect(live).to_have_attribute("data-state", "stale")
            assert "stale since" in await live.inner_text()
            await site.an_issue(webhook, "Missed", 0, incident=incident, kind=EventType.RESOLVED)
            await expect(row).to_contain_text("Triggered")
        finally:
            closing.clear()
        await expect(live).to_have_attribute("data-state", "live")
        await expect(row).to_contain_text("Resolved")
