"""Now: what waits for a decision, and whether what is shown can be trusted."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.connections.rate_limit_store import RateLimitUsage
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.webhooks.lifecycle import WebhookState
from ingress.dashboard.trust import budget_sign, drift_sign, webhook_sign
from tests.support.browser import visiting
from tests.support.call_records import a_call, file
from tests.support.connected import add_connection
from tests.support.dashboard import DashboardSite

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def waiting_call(site: DashboardSite) -> str:
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme")
    await site.an_issue(site.webhook(connection_id=connection), "Orders are slow", 5, priority_name="P2")
    now = datetime.now(UTC)
    call = a_call(
        connection,
        "waits",
        tool="create_incident",
        arguments={"title": "x", "service_id": "P1"},
        state=CallState.WAITING,
        needs_approval=True,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    file(site.database, call)
    return call.id


async def test_what_waits_and_what_to_trust_stand_on_now(
    site: DashboardSite, waiting_call: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, moves_time=True) as visit:
        await visit.sign_in(site.a_key(person="PUSER1"))
        text = await visit.page.locator("main").inner_text()
        assert "Waiting for your decision" in text and "create_incident" in text
        for about in ("Webhooks", "Last delivery", "Compared with PagerDuty", "Temporal"):
            assert about in text
        assert await visit.looks_wrong("now-decisions") == []
        # Times count down by themselves.
        expiry = visit.page.locator(".decisions li")
        await expect(expiry).to_contain_text("expires in 59 min")
        await visit.page.clock.fast_forward("30:00")
        await expect(expiry).to_contain_text(re.compile(r"expires in 2[89] min"))


async def test_now_says_nothing_of_what_a_caller_may_not_read(site: DashboardSite, waiting_call: str) -> None:
    reader = await site.session(site.a_key("issues:read"))
    text = (await reader.get("/dashboard/now")).text
    assert waiting_call not in text
    assert "Last delivery" not in text and "Compared with" not in text


@pytest.mark.parametrize(
    ("states", "tone", "words"),
    [
        ([], "bad", "none yet"),
        ([WebhookState.DELETED], "bad", "none yet"),
        ([WebhookState.ARMED, WebhookState.DISABLED_BY_PAGERDUTY], "bad", "PagerDuty disabled 1 of 2"),
        ([WebhookState.ARMED, WebhookState.PAUSED], "warn", "1 of 2 proven"),
        ([WebhookState.ARMED], "good", "proven"),
    ],
)
def test_webhooks_are_judged_by_the_worst(states: list[WebhookState], tone: str, words: str) -> None:
    sign = webhook_sign(states)
    assert (sign.tone, sign.words.startswith(words)) == (tone, True)


def test_drift_and_budget_are_judged_by_what_pagerduty_told() -> None:
    assert drift_sign("x", None, {}).tone == "warn"
    assert drift_sign("x", NOW, {"differed": 3, "healed": 3}).words == "3 differed and were mended"
    assert drift_sign("x", NOW, {"failed": 1}).tone == "bad"
    assert budget_sign("x", RateLimitUsage(), NOW) is None
    low = budget_sign("x", RateLimitUsage(minute_limit=960, minute_remaining=10), NOW)
    paused = budget_sign("x", RateLimitUsage(paused_until=NOW + timedelta(seconds=9)), NOW)
    assert low is not None and low.tone == "warn"
    assert paused is not None and paused.tone == "bad"
