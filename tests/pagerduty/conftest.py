"""A client of ours and the scripted end of its wire."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.pagerduty.account import Account
from calmo_pagerduty.pagerduty.client import PagerDutyClient, connect
from tests.support.scripted_wire import Wire, scripted_wire

TOKEN = "canary-of-a-token"


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with scripted_wire() as wire:
        yield wire


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    async with connect() as http:
        yield http


@pytest.fixture
def account(wire: Wire) -> Account:
    return Account(wire.url, SecretStr(TOKEN), from_address="ada@example.com", connection_id="c1")


@pytest.fixture
def client(account: Account, http: AsyncClient) -> PagerDutyClient:
    return PagerDutyClient(account, http)
