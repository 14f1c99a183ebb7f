"""The ingress as an application: one list of endpoints, one lifespan."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from calmo_pagerduty.access.permissions import METRICS_READ
from calmo_pagerduty.access.store import Principal
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput, PublicEndpoint, routes
from ingress.api.errors import STATUS_OF_ERROR, answer_error, answer_http_error
from ingress.api.models import VerdictModel
from ingress.api.openapi import openapi_document
from ingress.parts import Ingress
from ingress.webhooks.errors import STATUS_OF_WEBHOOK_ERROR, answer_webhook_error

logger = logging.getLogger(__name__)

RESTART_PAUSE_SECONDS = 2.0


RECEIVER_STATUSES = (
    (401, "not signed with the webhook's secret"),
    (404, "no such webhook"),
    (410, "deleted by its owner"),
    (413, "larger than PagerDuty ever sends"),
    (429, "too much at once; come back"),
    (503, "not durable yet; come back"),
)


def served_endpoints(ingress: Ingress) -> list[EndpointRow]:
    """Return everything that the ingress answers, but for /mcp."""

    async def serve_metrics(_request: Request, _principal: Principal, _nothing: NoInput) -> Response:
        """GET /metrics, in Prometheus' text form."""
        return Response(generate_latest(ingress.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def serve_openapi(_request: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(openapi_document(rows, ingress.services.settings.public_address))

    rows: list[EndpointRow] = [
        PublicEndpoint(
            "POST",
            "/webhooks/pagerduty/{webhook_id}",
            "Take one PagerDuty delivery",
            Json(VerdictModel, status=202),
            handler=ingress.webhook_receiver.receive,
            statuses=RECEIVER_STATUSES,
            refuses_with=VerdictModel,
        ),
        *ingress.issues.endpoints(),
        *ingress.actions.endpoints(),
        *ingress.contexts.endpoints(),
        *ingress.deliveries.endpoints(),
        *ingress.explanations.endpoints(),
        *ingress.api_keys.endpoints(),
        *ingress.tools.endpoints(),
        *ingress.connections.endpoints(),
        *ingress.webhooks.endpoints(),
        *ingress.webhook_tests.endpoints(),
        *ingress.health.endpoints(),
        *ingress.reconciliation.endpoints(),
        Endpoint(
            "GET",
            "/metrics",
            "Counters for operators",
            Media("text/plain"),
            permission=METRICS_READ,
            takes=NoInput,
            handler=serve_metrics,
        ),
        PublicEndpoint(
            "GET",
            "/openapi.json",
            "This document",
            Media("application/json"),
            handler=serve_openapi,
        ),
    ]
    return rows


def build_app(ingress: Ingress) -> Starlette:
    """Return the ASGI application; its lifespan runs the forwarder."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        endless: Mapping[str, Callable[[], Awaitable[None]]] = {
            "forwarder": ingress.forwarder.run,
            "tool_call_sweeper": ingress.tool_call_sweeper.run,
            "reconcile_scheduler": ingress.reconcile_scheduler.run,
            "context_counter": ingress.context_counter.run,
            "retention_sweeper": ingress.retention.run,
            "webhook_sweeper": ingress.webhook_sweeper.run,
        }
        running = [asyncio.create_task(_keep_running(name, run)) for name, run in endless.items()]
        async with ingress.mcp.running():
            yield
            ingress.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await ingress.services.aclose()

    app = Starlette(
        routes=[*routes(served_endpoints(ingress), ingress.services.database), Route("/mcp", ingress.mcp)],
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
        await asyncio.sleep(RESTART_PAUSE_SECONDS)
