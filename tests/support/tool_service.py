"""The service with its tools, against a simulated PagerDuty: real Temporal, real database, real HTTP."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
import httpx2
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from bootstrap.services import Services
from bootstrap.workers import incident_worker, pagerduty_worker
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.app import build_app
from ingress.parts import Ingress
from pagerduty_simulator.clocks import Clock, ScaledClock
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.rest_api import running_rest_api
from pagerduty_simulator.shop import online_shop
from tests.support.doors import make_key
from tests.support.parts import Parts
from tests.support.patience import ANSWER, EVENTUALLY

Json = dict[str, Any]
TOKEN = "u+simulatedtoken-0123456789"
WRITES_ON = ConnectionRules(
    switches={"risk:medium": Switch.ALLOW, "risk:high": Switch.ALLOW},
    approve=frozenset(),
    writes_per_hour=100_000,
)


@dataclass
class ToolService:
    """What a test holds in its hands. `site` is PagerDuty's side."""

    site: AccountSite
    ingress: Ingress
    database: Database
    http: httpx.AsyncClient
    connection_id: str
    headers: Mapping[str, str]
    workers: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def call(self, tool: str, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        """POST /api/tools/{tool}; arguments beside `connection`, `idempotency_key`, `wait_seconds`."""
        own: dict[str, Any] = {
            name: body.pop(name) for name in ("connection", "idempotency_key", "wait_seconds") if name in body
        }
        request = {"connection": self.connection_id, **own, "arguments": body}
        return await self.http.post(
            f"/api/tools/{tool}", json=request, headers=headers or self.headers, timeout=ANSWER
        )

    async def done(self, tool: str, **body: Any) -> Json:
        """Call a tool and return its result; the test fails if it isn't done."""
        answer = await self.call(tool, **body)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()["result"]
        return result

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Json:
        answer = await self.http.get(path, headers=headers or self.headers)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def a_key(
        self,
        *permissions: str,
        scopes: Sequence[str] | None = ("organization:acme",),
        person: str = "somebody",
        teams: Sequence[str] = (),
    ) -> dict[str, str]:
        """Return the headers of a new API key; without permissions it has all of them."""
        seen = None if scopes is None else [Scope.parse(scope) for scope in scopes]
        key = self.database.write_blocking(
            lambda t: api_keys.insert_key(
                t, f"key of {person}", permissions or ALL_PERMISSIONS, seen, datetime.now(UTC), person, teams
            )
        )
        return {"Authorization": f"Bearer {key}"}

    async def audited(self) -> list[Json]:
        """Return the audit's records, oldest first."""
        rows: list[Json] = (await self.get("/api/audit?limit=500"))["rows"]
        return [row["record"] for row in reversed(rows)]

    def permit(self, rules: ConnectionRules) -> None:
        self.database.write_blocking(lambda t: connections.update_rules(t, self.connection_id, rules))

    def an_incident(self, title: str = "Basket is slow") -> str:
        """Trigger an incident on PagerDuty's side and return its id."""
        service = next(iter(self.site.account.services))
        return str(self.site.account.trigger(service, title)[0].incident_id)


def add_connection(
    database: Database,
    keyring: Keyring,
    scope: str,
    token: str = TOKEN,
    rules: ConnectionRules = WRITES_ON,
    **values: Any,
) -> str:
    """Make a connection to the simulator and return its id."""
    now = datetime.now(UTC)

    def write(transaction: Transaction) -> str:
        made = connections.insert_connection(
            transaction, "Simulated", Scope.parse(scope), now, Region.SIMULATOR, rules, **values
        )
        found = connections.get_connection(transaction, EVERYTHING, made)
        assert found is not None
        connections.update_token(transaction, keyring, found, TokenKind.API_TOKEN, SecretStr(token))
        return made

    return database.write_blocking(write)


@contextlib.asynccontextmanager
async def running_service(
    parts: Parts,
    clock: Clock | None = None,
    working: bool = True,
    gathering: bool = False,
) -> AsyncIterator[ToolService]:
    """A service with one connection that may write. Not `working`: without a worker; `gathering`: incidents
    have their contexts gathered.
    """
    database, keyring = parts.database, parts.keyring
    site = AccountSite(online_shop(now=lambda: datetime.now(UTC), seed=11), clock=clock or ScaledClock())
    site.add_token(TOKEN)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(site.aclose)
        url = await stack.enter_async_context(running_rest_api(site))
        settings = Settings(
            data_dir=parts.data_dir,
            simulator_url=url,
            task_queue=f"tools-{uuid.uuid4().hex}",
            workflow_sandbox=True,
            gather_context=gathering,
        )
        person = next(iter(site.account.users.values()))
        connection_id = add_connection(database, keyring, "organization:acme", from_address=person.email)
        services = Services(settings, database, keyring, TemporalHandle(parts.temporal))
        stack.push_async_callback(services.aclose)
        ingress = Ingress(services)
        transport = httpx.ASGITransport(app=build_app(ingress))
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://calmo.test")
        )
        service = ToolService(
            site, ingress, database, http, connection_id, make_key(database, ALL_PERMISSIONS)
        )
        await stack.enter_async_context(service.workers)
        if working:
            await start_workers(service)
        yield service


async def start_workers(service: ToolService) -> None:
    """The two workers of a worker process, stopped with the service or by `service.workers.aclose()`."""
    services = worker_services(service.ingress.services)
    service.workers.push_async_callback(services.aclose)
    await service.workers.enter_async_context(incident_worker(services))
    await service.workers.enter_async_context(pagerduty_worker(services))


def worker_services(of_ingress: Services) -> Services:
    """Return the services of a worker process beside the ingress: they share the database, and no more."""
    return replace(of_ingress)


async def until_state(service: ToolService, call_id: str, *states: str, within: float = EVENTUALLY) -> Json:
    """Return the call once it is in one of these states."""
    async with asyncio.timeout(within):
        while True:
            call = await service.get(f"/api/tool-calls/{call_id}")
            if call["state"] in states:
                return call
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def served(service: ToolService) -> AsyncIterator[str]:
    """The service on a real port of this machine, with MCP; yields its URL. Once per service."""
    app = build_app(service.ingress)
    async with service.ingress.mcp.running(), running_server(app, "127.0.0.1", 0) as url:
        yield url


@contextlib.asynccontextmanager
async def agent(
    url: str, headers: Mapping[str, str], query: str = "", mode: Literal["auto", "legacy"] = "auto"
) -> AsyncIterator[McpClient]:
    """An AI agent's MCP client over HTTP. `query` names connection and profile: `?category=…`."""
    async with httpx2.AsyncClient(headers=headers, timeout=ANSWER) as http:
        transport = streamable_http_client(f"{url}/mcp{query}", http_client=http)
        async with McpClient(transport, mode=mode) as client:
            yield client
