"""A furnished account, its site, and a client that talks to it over a real socket."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from pagerduty_simulator.clocks import ManualClock, ScaledClock
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.patience import ANSWER

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)
INES = "ines.albrecht@lantern-lane.example"

Call = Callable[..., Any]


class Api:
    """Sends requests with the account's token and gives back what was answered."""

    def __init__(self, site: AccountSite, http: httpx.AsyncClient) -> None:
        self.site = site
        self.http = http

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": "Token token=full", "From": INES} | more.pop("headers", {})
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.send("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def incident(self, **fields: Any) -> dict[str, Any]:
        service_id = fields.pop("service_id", None) or self.service_id("Search")
        body = {"type": "incident", "title": "Search is slow", **fields}
        body["service"] = {"id": service_id, "type": "service_reference"}
        response = await self.send("POST", "/incidents", {"incident": body})
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()["incident"]
        return made

    async def change(self, incident_id: str, **fields: Any) -> httpx.Response:
        body = {"incident": {"type": "incident", **fields}}
        return await self.send("PUT", f"/incidents/{incident_id}", body)

    def service_id(self, name: str) -> str:
        return id_of(self.site.account.services, name)

    def user_id(self, name: str) -> str:
        return id_of(self.site.account.users, name)

    def schedule_id(self, name: str) -> str:
        return id_of(self.site.account.belongings.schedules, name)


def id_of(owned: dict[str, Any], name: str) -> str:
    return next(thing.id for thing in owned.values() if thing.name == name)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def account(clock):
    return furnished_shop(now=clock.now, seed=1)


@pytest.fixture
def past(account):
    """Sixty incidents of the last thirty days."""
    generate_history(account, incidents=60, days=30, seed=1)
    return account


@pytest.fixture
async def site(account, clock) -> AsyncIterator[AccountSite]:
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
async def api(site) -> AsyncIterator[Api]:
    async with (
        running_rest_api(site) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=ANSWER) as http,
    ):
        yield Api(site, http)
