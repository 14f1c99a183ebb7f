"""The service at an address where the simulated PagerDuty reaches it: door, forwarder, worker, REST."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx

from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.processes import free_port
from ingress.app import build_app
from ingress.parts import Ingress
from ingress.webhooks.check_endpoints import WebhookTestEndpoints
from ingress.webhooks.end_to_end_check import WebhookTestDeps
from pagerduty_simulator.rest.serving import running_server
from tests.support.parts import Parts
from tests.support.patience import ANSWER, LIMIT, PROGRAM
from tests.support.system import System, running_system

Json = dict[str, Any]
ACME = "organization:acme"


@dataclass
class WebhookService:
    """`tools.site` is PagerDuty's side; `url` is our public address."""

    tools: System
    ingress: Ingress
    url: str
    http: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.http.request(
            method, f"/api/webhooks{path}", json=body, headers=headers or self.tools.headers
        )

    async def done(self, method: str, path: str, body: Json | None = None, status: int = 200) -> Json:
        answer = await self.ask(method, path, {} if body is None else body)
        assert answer.status_code == status, answer.text
        found: Json = answer.json()
        return found

    async def make(self, **body: Any) -> Json:
        return await self.done("POST", "", {"scope": ACME, **body}, 201)

    async def subscribed(self, **body: Any) -> Json:
        """Make a webhook with a subscription of PagerDuty's."""
        made = await self.make(connection=self.tools.connection_id, subscribe=True, **body)
        assert made["managed"], made["warnings"]
        return made

    @property
    def subscriptions(self) -> list[Any]:
        return list(self.tools.site.sender.subscriptions.values())

    def trusting(self, trust: Callable[[], ssl.SSLContext], public_address: str) -> WebhookTestEndpoints:
        """Return the checks for another public address, whose certificates are trusted so."""
        return WebhookTestEndpoints(replace(self.means, trust=trust, public_address=public_address))

    @property
    def means(self) -> WebhookTestDeps:
        return replace(self.ingress.webhook_test_deps, step_seconds=LIMIT)


@contextlib.asynccontextmanager
async def running_webhook_service(parts: Parts, working: bool = True) -> AsyncIterator[WebhookService]:
    """Not `working`: without a worker."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        tools = await stack.enter_async_context(running_system(parts, working=working))
        settings = tools.ingress.services.settings.model_copy(update={"public_url": url})
        ingress = Ingress(replace(tools.ingress.services, settings=settings))
        stack.push_async_callback(ingress.services.aclose)
        await stack.enter_async_context(running_server(build_app(ingress), "127.0.0.1", port))
        forwarding = asyncio.create_task(ingress.forwarder.run())
        stack.push_async_callback(_stopped, forwarding)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, verify=tls_context(), timeout=ANSWER)
        )
        yield WebhookService(tools, ingress, url, http)


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task], timeout=PROGRAM)
