"""Build the ingress: one list of endpoints, one lifespan."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.pagerduty_accounts import PagerDutyAccounts
from activities.tool_calls import ToolCalls
from activities.tool_gate import ToolGate
from activities.tool_records import ToolRecords
from calmo_pagerduty import temporal_client
from calmo_pagerduty.pagerduty_api.client import connect
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.store.api_keys import Caller
from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring
from calmo_pagerduty.temporal_handle import TemporalHandle
from ingress.api.authentication import METRICS_READ
from ingress.api.endpoints import Endpoint, Json, Media, Nothing, PublicEndpoint, Row, routes
from ingress.api.errors import STATUS_OF_ERROR, answer_error, answer_http_error
from ingress.api.health import HealthEndpoints
from ingress.api.keys import ApiKeyEndpoints
from ingress.api.models import Links, VerdictModel
from ingress.api.openapi import openapi_document
from ingress.connections.endpoints import ConnectionEndpoints
from ingress.context.counting import ContextCounter
from ingress.context.endpoints import ContextEndpoints
from ingress.deliveries.endpoints import DeliveryEndpoints
from ingress.deliveries.explaining import ExplanationEndpoints
from ingress.deliveries.retention import Retention
from ingress.door.pagerduty_webhooks import WebhookReceiver
from ingress.door.rate_limits import Buckets
from ingress.door.webhook_directory import WebhookDirectory
from ingress.forwarding.forwarder import Forwarder
from ingress.forwarding.incident_starter import IncidentStarter
from ingress.forwarding.signal_sender import SignalSender
from ingress.healing.endpoints import HealingEndpoints
from ingress.healing.keeper import HealingKeeper
from ingress.issues.action_endpoints import ActionEndpoints
from ingress.issues.action_sender import ActionSender
from ingress.issues.actions import IssueActor
from ingress.issues.endpoints import IssueEndpoints
from ingress.mcp.endpoint import McpEndpoint
from ingress.metrics import Metrics
from ingress.tools.caller import ToolCaller
from ingress.tools.endpoints import ToolEndpoints
from ingress.tools.keeper import CallKeeper
from ingress.webhooks.checks import WebhookTestEndpoints
from ingress.webhooks.endpoints import WebhookEndpoints
from ingress.webhooks.errors import STATUS_OF_WEBHOOK_ERROR, answer_webhook_error
from ingress.webhooks.keeper import WebhookKeeper
from ingress.webhooks.subscriber import Subscriber
from ingress.webhooks.walk import Means
from workflows import names

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0


@dataclass
class Ingress:
    """The parts of the ingress, wired once."""

    settings: Settings
    database: Database
    keyring: Keyring
    metrics: Metrics = field(default_factory=Metrics)
    temporal: TemporalHandle = field(default_factory=TemporalHandle)

    def __post_init__(self) -> None:
        settings = self.settings
        self.forwarder = Forwarder(
            self.database, self.metrics, self.connect, settings.instance, settings.confirm_after
        )
        directory = WebhookDirectory(self.database, self.keyring)
        self.door = WebhookReceiver(
            self.database,
            directory,
            self.metrics,
            Buckets(settings.webhook_rate, settings.webhook_burst),
            self.forwarder.wake,
        )
        namespace = temporal_client.connection_options().get("namespace", "default")
        links = Links(settings.temporal_ui_url, namespace)
        self.issues = IssueEndpoints(self.database, links)
        self.contexts = ContextEndpoints(self.database, self.temporal, settings.task_queue, links)
        self.http = connect()
        accounts = PagerDutyAccounts(self.database, self.keyring, self.http, settings.simulator_url)
        gate = ToolGate(self.database)
        records = ToolRecords(self.database, gate)
        calls = ToolCalls(records, accounts)
        self.caller = ToolCaller(self.database, gate, calls, self.temporal, settings.task_queue)
        self.tools = ToolEndpoints(self.database, self.caller, links)
        self.connections = ConnectionEndpoints(self.database, self.keyring, accounts)
        self.starter = IncidentStarter(
            settings.task_queue,
            settings.complete_after,
            settings.continue_as_new_after,
            settings.gather_context,
        )
        self.actor = IssueActor(
            self.database,
            gate,
            records,
            self.caller,
            self.temporal,
            ActionSender(self.starter),
            self.forwarder.wake,
        )
        self.actions = ActionEndpoints(self.database, self.actor, links)
        self.mcp = McpEndpoint(self.database, self.caller, self.actor, links, settings.public_address)
        self.keeper = CallKeeper(self.database, self.actor.resume)
        self.deliveries = DeliveryEndpoints(self.database, self.forwarder.wake)
        self.explainer = ExplanationEndpoints(self.database, self.temporal, settings.task_queue)
        self.api_keys = ApiKeyEndpoints(self.database)
        self.retention = Retention(self.database, settings.instance, settings.keep_bodies, settings.keep_ids)
        public = settings.public_address
        subscriber = Subscriber(self.database, self.keyring, accounts, directory, public)
        self.webhooks = WebhookEndpoints(self.database, self.keyring, directory, subscriber, public)
        self.webhook_means = Means(self.database, self.keyring, directory, subscriber, self.temporal, public)
        self.webhook_checks = WebhookTestEndpoints(self.webhook_means)
        self.webhook_keeper = WebhookKeeper(self.database, subscriber, self.temporal)
        self.health = HealthEndpoints(self.database, self.temporal)
        self.healing = HealingEndpoints(self.database, self.temporal, settings.task_queue)
        self.context_counter = ContextCounter(self.database, self.metrics)
        self.healing_keeper = HealingKeeper(self.database, self.metrics, self.temporal, settings.task_queue)

    async def connect(self) -> SignalSender:
        """Wait for Temporal, for as long as it takes: deliveries are taken in meanwhile."""
        client = await self.temporal.connect(names.SEARCH_ATTRIBUTES, temporal_client.IMPATIENT)
        return SignalSender(client, self.starter)

    def close(self) -> None:
        """Refuse new deliveries with 503 and end the live streams."""
        self.door.closing = True
        self.issues.closing.set()
        self.contexts.closing.set()

    async def serve_metrics(self, _request: Request, _caller: Caller, _nothing: Nothing) -> Response:
        """GET /metrics, in Prometheus' text form."""
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def serve_openapi(self, _request: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(openapi_document(self.endpoints(), self.settings.public_address))

    def endpoints(self) -> list[Row]:
        return [
            PublicEndpoint(
                "POST", "/webhooks/pagerduty/{webhook_id}", "Take one PagerDuty delivery",
                Json(VerdictModel, status=202), handler=self.door.receive, statuses=DOOR_STATUSES,
                refuses_with=VerdictModel,
            ),
            *self.issues.endpoints(),
            *self.actions.endpoints(),
            *self.contexts.endpoints(),
            *self.deliveries.endpoints(),
            *self.explainer.endpoints(),
            *self.api_keys.endpoints(),
            *self.tools.endpoints(),
            *self.connections.endpoints(),
            *self.webhooks.endpoints(),
            *self.webhook_checks.endpoints(),
            *self.health.endpoints(),
            *self.healing.endpoints(),
            Endpoint(
                "GET", "/metrics", "Counters for operators", Media("text/plain"), permission=METRICS_READ,
                takes=Nothing, handler=self.serve_metrics,
            ),
            PublicEndpoint(
                "GET", "/openapi.json", "This document", Media("application/json"),
                handler=self.serve_openapi,
            ),
        ]  # fmt: skip


DOOR_STATUSES = (
    (401, "not signed with the webhook's secret"),
    (404, "no such webhook"),
    (410, "deleted by its owner"),
    (413, "larger than PagerDuty ever sends"),
    (429, "too much at once; come back"),
    (503, "not durable yet; come back"),
)


def build_app(ingress: Ingress) -> Starlette:
    """Return the ASGI application; its lifespan runs the forwarder."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        endless: Mapping[str, Callable[[], Awaitable[None]]] = {
            "forwarder": ingress.forwarder.run,
            "call_keeper": ingress.keeper.run,
            "healing_keeper": ingress.healing_keeper.run,
            "context_counter": ingress.context_counter.run,
            "retention": ingress.retention.run,
            "webhook_keeper": ingress.webhook_keeper.run,
        }
        running = [asyncio.create_task(_keep_running(name, run)) for name, run in endless.items()]
        async with ingress.mcp.running():
            yield
            ingress.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await ingress.http.aclose()

    app = Starlette(
        routes=[*routes(ingress.endpoints(), ingress.database), Route("/mcp", ingress.mcp)],
        lifespan=lifespan,
        exception_handlers={
            **dict.fromkeys(STATUS_OF_ERROR, answer_error),
            **dict.fromkeys(STATUS_OF_WEBHOOK_ERROR, answer_webhook_error),
            HTTPException: answer_http_error,
        },
    )
    # A redirect would make PagerDuty drop the delivery.
    app.router.redirect_slashes = False
    return app


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """What should never end and does is a fault of ours: say so, and begin again from the database."""
    while True:
        try:
            await run()
        except Exception:
            logger.critical("part_ended", extra={"part": name}, exc_info=True)
        await asyncio.sleep(PAUSE_SECONDS)
