"""The ingress as an ASGI application: the list of all endpoints, and the lifespan that runs its loops."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

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
    (401, "the signature is missing or does not match the webhook's secrets"),
    (404, "there is no such webhook"),
    (410, "the webhook's owner deleted it"),
    (413, "the body is larger than any that PagerDuty sends"),
    (429, "too many deliveries at once; send it again"),
    (503, "the delivery could not be stored yet; send it again"),
)


def served_endpoints(ingress: Ingress) -> list[EndpointRow]:
    """Return all endpoints of the ingress except /mcp."""

    async def serve_metrics(_request: Request, _principal: Principal, _nothing: NoInput) -> Response:
        """GET /metrics, in Prometheus' text format."""
        return Response(generate_latest(ingress.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def serve_openapi(_request: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(openapi_document(rows, ingress.services.settings.public_address))

    rows: list[EndpointRow] = [
        PublicEndpoint(
            "POST",
            "/webhooks/pagerduty/{webhook_id}",
            "Receive a delivery from PagerDuty",
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
        *ingress.coverage.endpoints(),
        *ingress.oncall.endpoints(),
        *ingress.escalation.endpoints(),
        *ingress.drills.endpoints(),
        *ingress.workload.endpoints(),
        *ingress.workload_settings.endpoints(),
        *ingress.covers.endpoints(),
        *ingress.findings.endpoints(),
        *ingress.scenarios.endpoints(),
        *ingress.digests.endpoints(),
        *ingress.account_reports.endpoints(),
        *ingress.report_tools.endpoints(),
        Endpoint(
            "GET",
            "/metrics",
            "Get Prometheus metrics",
            Media("text/plain"),
            permission=METRICS_READ,
            takes=NoInput,
            handler=serve_metrics,
        ),
        PublicEndpoint(
            "GET",
            "/openapi.json",
            "Get this OpenAPI document",
            Media("application/json"),
            handler=serve_openapi,
        ),
    ]
    return rows


def build_app(ingress: Ingress) -> Starlette:
    """Return the ASGI application. Its lifespan runs the forwarder and the sweepers."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "forwarder": ingress.forwarder.run,
            "tool_call_sweeper": ingress.tool_call_sweeper.run,
            "reconcile_scheduler": ingress.reconcile_scheduler.run,
            "context_counter": ingress.context_counter.run,
            "finding_counter": ingress.finding_counter.run,
            "drill_sweeper": ingress.drill_sweeper.run,
            "retention_sweeper": ingress.retention.run,
            "webhook_sweeper": ingress.webhook_sweeper.run,
            "rough_night_sweeper": ingress.rough_night_sweeper.run,
        }
        if ingress.services.settings.analyse_oncall:
            loops["oncall_scheduler"] = ingress.oncall_scheduler.run
        tasks = [asyncio.create_task(_keep_running(name, run)) for name, run in loops.items()]
        async with ingress.mcp.running():
            yield
            ingress.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ingress.services.aclose()

    endpoints = served_endpoints(ingress)
    ingress.mcp.serve_reports(endpoints)
    app = Starlette(
        routes=[*routes(endpoints, ingress.services.database), Route("/mcp", ingress.mcp)],
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
    """Run a loop that should never end. If it ends, log that and start it again from the database's state."""
    while True:
        try:
            await run()
        except Exception:
            logger.critical("part_ended", extra={"part": name}, exc_info=True)
        await asyncio.sleep(RESTART_PAUSE_SECONDS)
