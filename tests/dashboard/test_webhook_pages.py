"""The pages of webhooks and deliveries: secrets, faults by name, replays, and who may see bodies."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, expect

from calmo_pagerduty.db import tables
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.replay_store import ReplayOutcome
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from ingress.dashboard.pages.deliveries import WORDS_OF_OUTCOME
from tests.support.browser import visiting
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.connected import add_connection, add_webhook
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME, save_pending

HOSTILE = "<img src=x onerror=alert(1)>"
PAGES = (
    "webhooks",
    "webhooks/new",
    "webhooks/{webhook}",
    "deliveries",
    "deliveries/1",
    "refusals",
    "operations?verify=yes",
)


@pytest.fixture(scope="module")
async def webhook(site: DashboardSite) -> str:
    """The handle of a webhook that took in two deliveries and refused one."""
    doorway = site.doorway
    connection = add_connection(site.database, doorway.keyring, ACME)
    webhook_id = add_webhook(site.database, doorway.keyring, connection)
    incident = new_id()
    for kind in (EventType.TRIGGERED, EventType.ACKNOWLEDGED):
        now = datetime.now(UTC)
        await doorway.deliver(webhook_id, an_event(kind, incident, at=now, title=HOSTILE))
        save_pending(site.database)
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    await doorway.post(webhook_id, body, headers_for(body, b"another secret"))
    return webhook_handle(webhook_id)


@pytest.fixture(scope="module")
async def key(site: DashboardSite, webhook: str) -> str:
    return site.a_key()


async def test_webhooks_and_deliveries_look_right(
    site: DashboardSite, key: str, webhook: str, browser: Browser
) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, then=None)
        for page in PAGES:
            await visit.goto(f"/dashboard/{page.format(webhook=webhook)}")
            name = page.partition("?")[0].replace("/", "-").format(webhook="one")
            assert await visit.looks_wrong(name) == [], page


async def test_a_webhook_is_made_by_hand_and_its_address_is_shown_once(
    site: DashboardSite, key: str, webhook: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/webhooks")
        await visit.page.get_by_role("link", name="Generate a webhook").click()
        await visit.page.get_by_label("Name").fill(HOSTILE)
        await visit.page.get_by_label("By hand in PagerDuty").check()
        await visit.page.get_by_role("button", name="Generate").click()
        await visit.screenshot("made-by-hand")
        address = await visit.page.get_by_label("The webhook's address").input_value()
        await expect(visit.page.get_by_text("choose New Webhook")).to_be_visible()
        await visit.page.get_by_label("What PagerDuty showed once").fill("a-secret-shown-once-0123456789")
        await visit.page.get_by_role("button", name="Keep the secret").click()
        await expect(visit.page.get_by_text("The secret is kept.")).to_be_visible()
        text = await visit.page.content()
        assert address not in text
        assert "a-secret-shown-once" not in text
        await expect(visit.page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        await expect(visit.page.get_by_text("Nothing has arrived since the secret was set")).to_be_visible()


async def test_the_fault_of_a_captured_delivery_is_named(site: DashboardSite, key: str, webhook: str) -> None:
    session = await site.session(key)
    body = body_of(an_event(EventType.TRIGGERED, new_id())).decode()
    for signature, words in (
        (headers_for(body.encode())["X-PagerDuty-Signature"], "the webhook is set up well"),
        (headers_for(body.encode(), b"other")["X-PagerDuty-Signature"], "signed with another secret"),
        ("", "without a signature"),
    ):
        sent = {"body": body, "signature": signature}
        answer = await session.post(f"/dashboard/webhooks/{webhook}/sample", sent)
        assert words in answer.text


async def test_a_test_from_end_to_end_says_that_it_runs(
    site: DashboardSite, key: str, webhook: str, browser: Browser
) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, f"/dashboard/webhooks/{webhook}")
        # An answer that keeps the page, as long as the real one is awaited.
        await visit.page.route("**/test", lambda route: route.fulfill(status=204))
        running = visit.page.get_by_text("Testing step by step")
        await expect(running).to_be_hidden()
        await visit.page.get_by_role("button", name="Test it from end to end").click()
        await expect(running).to_be_visible()
        await expect(running.get_by_role("progressbar")).to_be_visible()


async def test_a_webhook_is_paused_resumed_and_deleted(site: DashboardSite, key: str, webhook: str) -> None:
    session = await site.session(key)
    doomed = webhook_handle(site.webhook(name="doomed"))
    here = f"/dashboard/webhooks/{doomed}"
    await session.post(f"{here}/pause")
    assert "Paused: deliveries are stored" in (await session.get(here)).text
    await session.post(f"{here}/resume")
    assert "Resumed." in (await session.get(here)).text
    await session.post(f"{here}/rotate", {"back": here})
    assert "the subscription was made by hand" in (await session.get(here)).text
    await session.post(f"{here}/delete")
    assert f"The webhook {doomed} is deleted" in (await session.get("/dashboard/webhooks")).text


async def test_a_replay_says_what_it_did(site: DashboardSite, key: str, webhook: str) -> None:
    session = await site.session(key)
    applied = sa.update(tables.deliveries).where(tables.deliveries.c.seq == 1)
    site.database.write_blocking(lambda t: t.execute(applied.values(state=DeliveryState.APPLIED)))
    await session.post("/dashboard/deliveries/1/replay")
    assert "Replay: 1 replayed" in (await session.get("/dashboard/deliveries/1")).text
    await session.post("/dashboard/deliveries/1/replay")
    assert "Replay: 1 on the way anyway" in (await session.get("/dashboard/deliveries/1")).text
    await session.post("/dashboard/deliveries/replay")
    assert "choose a filter first" in (await session.get("/dashboard/deliveries")).text
    await session.post(f"/dashboard/deliveries/replay?webhook={webhook}")
    shown = (await session.get(f"/dashboard/deliveries?webhook={webhook}")).text
    assert "on the way anyway" in shown
    save_pending(site.database)
    assert set(WORDS_OF_OUTCOME) == set(ReplayOutcome)


async def test_bodies_need_a_permission_and_strangers_see_nothing(
    site: DashboardSite, key: str, webhook: str
) -> None:
    shown = (await (await site.session(key)).get("/dashboard/deliveries/1")).text
    assert "&lt;img src=x" in shown
    assert "<img src=x" not in shown
    reader = await site.session(site.a_key("issues:read", "deliveries:read"))
    without = (await reader.get("/dashboard/deliveries/1")).text
    assert "lacks the permission deliveries:body" in without
    assert "img src=x" not in without
    assert (await reader.post("/dashboard/deliveries/1/replay")).status_code == 403
    assert (await reader.get("/dashboard/webhooks")).status_code == 403
    foreign = await site.session(site.a_key(scopes=("organization:other",)))
    assert (await foreign.get("/dashboard/deliveries/1")).status_code == 404
    assert (await foreign.get(f"/dashboard/webhooks/{webhook}")).status_code == 404
    assert webhook not in (await foreign.get("/dashboard/refusals")).text


async def test_an_incident_that_never_came_is_explained(site: DashboardSite, key: str, webhook: str) -> None:
    session = await site.session(key)
    assert "It stops at" in (await session.get("/dashboard/explain/Q0NEVERCAME00")).text
    assert (await session.get("/dashboard/explain/no%20id")).status_code == 404


async def test_deliveries_download_as_a_table(site: DashboardSite, key: str, webhook: str) -> None:
    session = await site.session(key)
    table = (await session.get("/dashboard/deliveries?download=csv&state=applied")).text
    assert table.startswith("Delivery,State,")


async def test_operations_tell_what_waits_and_verify_the_audit(
    site: DashboardSite, key: str, webhook: str
) -> None:
    session = await site.session(key)
    shown = (await session.get("/dashboard/operations?verify=yes")).text
    assert "rows follow each other unaltered" in shown
    assert "takes writes" in shown
    # Leases and parts of the service are for operators, who see everything.
    member = await site.session(site.a_key(scopes=(ACME,)))
    shown = (await member.get("/dashboard/operations")).text
    assert "Simulated" in shown
    assert "takes writes" not in shown
