"""The ingress as an ASGI application: the list of all endpoints, and the lifespan that runs its loops."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ingress.api.allowed_hosts import AllowedHosts, allowed_names
from ingress.api.endpoints import EndpointRow, Media, PublicEndpoint, routes
from ingress.api.error_table import STATUS_OF_ERROR, answer_error
from ingress.api.errors import answer_http_error
from ingress.api.health import metrics_endpoint
from ingress.api.openapi import openapi_document
from ingress.dashboard.security import ROOT as DASHBOARD
from ingress.dashboard.site import Dashboard, go_to_first_page
from ingress.parts import Ingress
from ingress.roles import Role
from ingress.webhook_receiver.endpoint import webhook_endpoint
from ingress.webhooks.errors import STATUS_OF_WEBHOOK_ERROR, answer_webhook_error

logger = logging.getLogger(__name__)

RESTART_PAUSE_SECONDS = 2.0


def served_endpoints(ingress: Ingress) -> list[EndpointRow]:
    """Return all endpoints of the ingress except /mcp."""

    @functools.cache
    def openapi() -> JSONResponse:
        # Who asks needs no key, so asking again must cost nothing.
        return JSONResponse(openapi_document(rows, ingress.services.settings.public_address))

    async def serve_openapi(_request: Request) -> Response:
        """GET /openapi.json"""
        return openapi()

    rows: list[EndpointRow] = [
        webhook_endpoint(ingress.webhook_receiver),
        *ingress.issues.endpoints(),
        *ingress.replays.endpoints(),
        *ingress.post_incidents.endpoints(),
        *ingress.actions.endpoints(),
        *ingress.contexts.endpoints(),
        *ingress.deliveries.endpoints(),
        *ingress.explanations.endpoints(),
        *ingress.api_keys.endpoints(),
        *ingress.people.endpoints(),
        *ingress.tools.endpoints(),
        *ingress.connections.endpoints(),
        *ingress.webhooks.endpoints(),
        *ingress.webhook_tests.endpoints(),
        *ingress.health.endpoints(),
        *ingress.reconciliation.endpoints(),
        *ingress.coverage.endpoints(),
        *ingress.absences.endpoints(),
        *ingress.oncall.endpoints(),
        *ingress.escalation.endpoints(),
        *ingress.dependencies.endpoints(),
        *ingress.trends.endpoints(),
        *ingress.performance.endpoints(),
        *ingress.patterns.endpoints(),
        *ingress.drills.endpoints(),
        *ingress.workload.endpoints(),
        *ingress.workload_settings.endpoints(),
        *ingress.covers.endpoints(),
        *ingress.findings.endpoints(),
        *ingress.scenarios.endpoints(),
        *ingress.digests.endpoints(),
        *ingress.account_reports.endpoints(),
        *ingress.reports.endpoints(),
        *ingress.kept_reports.endpoints(),
        *ingress.report_tools.endpoints(),
        metrics_endpoint(ingress.metrics),
        PublicEndpoint(
            "GET",
            "/openapi.json",
            "Get this OpenAPI document",
            Media("application/json"),
            handler=serve_openapi,
        ),
    ]
    return rows


def build_app(ingress: Ingress, role: Role = Role.ALL) -> Starlette:
    """Return the ASGI application of a process with this role. Its lifespan runs the role's loops.

    A door's application is `ingress.door.build_door`.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_keep_running(name, run)) for name, run in _loops(ingress, role).items()]
        async with ingress.mcp.running():
            yield
            ingress.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ingress.services.aclose()

    endpoints = served_endpoints(ingress)
    ingress.mcp.serve_reports(endpoints)
    if role is Role.FORWARDER:
        endpoints = [*ingress.health.endpoints(), metrics_endpoint(ingress.metrics)]
    names = allowed_names(ingress.services.settings)
    served = routes(endpoints, ingress.services.database)
    app = Starlette(
        routes=served if role is Role.FORWARDER else [*served, *_routes_of_other_ways_in(ingress)],
        middleware=[Middleware(AllowedHosts, names)] if names else [],
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


def _loops(ingress: Ingress, role: Role) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return what runs by itself in a process with this role, by name."""
    if role is Role.API:
        return {"temporal": ingress.stay_connected}
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
        "rate_watch_sweeper": ingress.rate_watch_sweeper.run,
    }
    if ingress.journal_taker is not None:
        loops["journal_taker"] = ingress.journal_taker.run
    if ingress.services.settings.analyse_oncall:
        loops["oncall_scheduler"] = ingress.oncall_scheduler.run
    return loops


def _routes_of_other_ways_in(ingress: Ingress) -> list[BaseRoute]:
    """Return MCP and the dashboard, which the OpenAPI document does not describe."""
    return [
        Route("/mcp", ingress.mcp),
        Route("/", go_to_first_page, include_in_schema=False),
        Route(DASHBOARD, go_to_first_page, include_in_schema=False),
        Mount(DASHBOARD, Dashboard(ingress).app()),
    ]


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop that should never end. If it ends, log that and start it again from the database's state."""
    while True:
        try:
            await run()
        # A part that ends by a bug begins again, and the others go on.
        except Exception:
            logger.critical("part_ended", extra={"part": name}, exc_info=True)
        await asyncio.sleep(RESTART_PAUSE_SECONDS)
