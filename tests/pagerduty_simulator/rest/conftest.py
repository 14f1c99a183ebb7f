"""A furnished account, its site, and a client that talks to it over a real socket."""

from collections.abc import AsyncIterator

import httpx
import pytest

from calmo_pagerduty.http_client import tls_context
from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock, ScaledClock
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.patience import ANSWER
from tests.support.rest_account import NOW, Api, id_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def account(clock: ManualClock) -> Account:
    return furnished_shop(now=clock.now, seed=1)


@pytest.fixture
def past(account: Account) -> Account:
    """Sixty incidents of the last thirty days."""
    generate_history(account, incidents=60, days=30, seed=1)
    return account


@pytest.fixture
async def site(account: Account, clock: ManualClock) -> AsyncIterator[AccountSite]:
    sender = WebhookSender(clock=ScaledClock(100_000))
    made = AccountSite(account, clock=clock, sender=sender)
    made.add_token("full", name="full")
    made.add_token("reader", "account_read_only", name="reader")
    made.add_token("hers", "user", name="hers", user_id=id_of(account.users, "Priya Raman"))
    made.add_token("watcher", "user", name="watcher", user_id=id_of(account.users, "Sofia Castro"))
    made.add_token("scoped", "oauth", name="scoped", scopes=["incidents.read"])
    yield made
    await sender.aclose()


@pytest.fixture
async def api(site: AccountSite) -> AsyncIterator[Api]:
    async with (
        running_rest_api(site) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=tls_context(), timeout=ANSWER) as http,
    ):
        yield Api(site, http)
