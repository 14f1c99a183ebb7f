"""Build the ingress: one list of endpoints, one lifespan."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.client import Client

from calmo_pagerduty import temporal_client
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.store import issue_queries
from calmo_pagerduty.store.api_keys import Caller
from calmo_pagerduty.store.database import Database, StoreUnavailable
from calmo_pagerduty.store.encryption import Keyring
from ingress.authentication import ISSUES_READ, METRICS_READ
from ingress.endpoints import Endpoint, routes
from ingress.errors import STATUS_OF_ERROR, answer_error, answer_http_error
from ingress.forwarder import Forwarder
from ingress.issue_models import (
    ChangesQuery,
    HealthModel,
    IssueListQuery,
    IssuePageModel,
    IssueWithTimeline,
    Links,
    Model,
    ReadinessModel,
    VerdictModel,
)
from ingress.issues import IssueReader
from ingress.metrics import Metrics
from ingress.openapi import openapi_document
from ingress.pagerduty_webhooks import Door
from ingress.rate_limits import Buckets
from ingress.signal_sender import SignalSender
from ingress.webhook_directory import WebhookDirectory
from workflows import names

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 1.0
FORWARDER_PAUSE_SECONDS = 2.0


@dataclass
class Ingress:
    """The parts of the ingress, wired once."""

    settings: Settings
    database: Database
    keyring: Keyring
    metrics: Metrics = field(default_factory=Metrics)
    temporal: Client | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        self.forwarder = Forwarder(
            self.database, self.metrics, self.connect, settings.instance, settings.confirm_after
        )
        self.door = Door(
            self.database,
            WebhookDirectory(self.database, self.keyring),
            self.metrics,
            Buckets(settings.webhook_rate, settings.webhook_burst),
            self.forwarder.wake,
        )
        namespace = temporal_client.connection_options().get("namespace", "default")
        self.issues = IssueReader(self.database, Links(settings.temporal_ui_url, namespace))

    async def connect(self) -> SignalSender:
        """Wait for Temporal, for as long as it takes: deliveries are taken in meanwhile."""
        client = await temporal_client.connect(names.SEARCH_ATTRIBUTES, temporal_client.IMPATIENT)
        self.temporal = client
        settings = self.settings
        return SignalSender(
            client, settings.task_queue, settings.complete_after, settings.continue_as_new_after
        )

    def close(self) -> None:
        """Refuse new deliveries with 503 and end the live streams."""
        self.door.closing = True
        self.issues.closing.set()

    async def healthz(self, _request: Request) -> Response:
        """GET /healthz: the process answers."""
        return _json(HealthModel())

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: database and Temporal, each by itself."""
        database, temporal = await asyncio.gather(self._database_state(), self._temporal_state())
        ready = database == temporal == "ok"
        return _json(ReadinessModel(ready=ready, database=database, temporal=temporal), 200 if ready else 503)

    async def _database_state(self) -> str:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self.database.read(issue_queries.latest_change)
        except (StoreUnavailable, TimeoutError) as error:
            return f"unreachable ({type(error).__name__})"
        return "ok"

    async def _temporal_state(self) -> str:
        if self.temporal is None:
            return "not connected yet"
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                healthy = await self.temporal.service_client.check_health()
        except Exception as error:  # whatever the transport raises, the answer is the same
            return f"unreachable ({type(error).__name__})"
        return "ok" if healthy else "not serving"

    async def serve_metrics(self, _request: Request, _caller: Caller, _query: Model | None) -> Response:
        """GET /metrics, in Prometheus' text form."""
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def serve_openapi(self, _request: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(openapi_document(self.endpoints(), self.settings.public_address))

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                "POST", "/webhooks/pagerduty/{webhook_id}", "Take one PagerDuty delivery", VerdictModel,
                open=self.door.receive, success=202, statuses=DOOR_STATUSES, refuses_with=VerdictModel,
            ),
            Endpoint(
                "GET", "/api/issues", "List issues, newest incident first", IssuePageModel,
                permission=ISSUES_READ, query=IssueListQuery, handler=self.issues.list,
            ),
            Endpoint(
                "GET", "/api/issues/events", "Each change as it happens", "text/event-stream",
                permission=ISSUES_READ, query=ChangesQuery, handler=self.issues.stream,
            ),
            Endpoint(
                "GET", "/api/issues/{id}", "One issue with its timeline", IssueWithTimeline,
                permission=ISSUES_READ, handler=self.issues.show, statuses=((404, "no such issue"),),
            ),
            Endpoint("GET", "/healthz", "Does the process answer", HealthModel, open=self.healthz),
            Endpoint(
                "GET", "/readyz", "Are database and Temporal there", ReadinessModel, open=self.readyz,
                statuses=((503, "one of them is not; the body says which"),), refuses_with=ReadinessModel,
            ),
            Endpoint(
                "GET", "/metrics", "Counters for operators", "text/plain",
                permission=METRICS_READ, handler=self.serve_metrics,
            ),
            Endpoint("GET", "/openapi.json", "This document", "application/json", open=self.serve_openapi),
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
        forwarding = asyncio.create_task(_keep_forwarding(ingress.forwarder))
        yield
        ingress.close()
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)

    app = Starlette(
        routes=routes(ingress.endpoints(), ingress.database),
        lifespan=lifespan,
        exception_handlers={
            **dict.fromkeys(STATUS_OF_ERROR, answer_error),
            HTTPException: answer_http_error,
        },
    )
    # A redirect would make PagerDuty drop the delivery.
    app.router.redirect_slashes = False
    return app


async def _keep_forwarding(forwarder: Forwarder) -> None:
    """A forwarder that ends by itself is a fault of ours: say so, and begin again from the database."""
    while True:
        try:
            await forwarder.run()
        except Exception:
            logger.critical("forwarder_ended", exc_info=True)
        await asyncio.sleep(FORWARDER_PAUSE_SECONDS)


def _json(model: Model, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")
