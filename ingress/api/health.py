"""What a process tells of itself: that it answers, whether it can do its work, and its metrics."""

import asyncio
import time
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import METRICS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput, PublicEndpoint
from ingress.api.models import HealthModel, ReadinessModel
from ingress.metrics import Metrics

if TYPE_CHECKING:
    # A door imports nothing of Temporal.
    from calmo_pagerduty.temporal.handle import TemporalHandle

HEALTH_SECONDS = 2.0
#: Anybody may ask whether we are ready, and the answer costs a write: this long one answer serves all.
READY_FOR_SECONDS = 1.0
_PROBE = "readiness"


class HealthEndpoints:
    """Liveness and readiness.

    Ready is who can write to the database, and a door to its journal: a 202 depends on nothing else.
    Temporal may be away for days, so its state is told and decides nothing: else a router would take a door
    away that works.
    """

    def __init__(
        self,
        database: Database,
        instance: str,
        temporal: "TemporalHandle | None" = None,
        journal: InboxJournal | None = None,
    ) -> None:
        self._database = database
        self._instance = instance
        self._temporal = temporal
        self._journal = journal
        self._ready_until = 0.0
        self._writing = asyncio.Lock()

    def endpoints(self) -> list[EndpointRow]:
        return [
            PublicEndpoint(
                "GET",
                "/healthz",
                "Check that the process answers",
                Json(HealthModel),
                handler=self.healthz,
            ),
            PublicEndpoint(
                "GET",
                "/readyz",
                "Check that the database takes a write, and tell whether Temporal answers",
                Json(ReadinessModel),
                handler=self.readyz,
                statuses=((503, "the database takes no write; the body says why"),),
                refuses_with=ReadinessModel,
            ),
        ]

    async def healthz(self, _request: Request) -> HealthModel:
        """GET /healthz: the process answers."""
        return HealthModel()

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: whether the database takes a write, and the state of Temporal."""
        database, temporal = await asyncio.gather(self._database_state(), self._temporal_state())
        ready = database == "ok"
        model = ReadinessModel(ready=ready, database=database, temporal=temporal)
        return Response(model.model_dump_json(), 200 if ready else 503, media_type="application/json")

    async def _database_state(self) -> str:
        try:
            async with asyncio.timeout(HEALTH_SECONDS), self._writing:
                if time.monotonic() >= self._ready_until:
                    await self._database.write(lambda tx: leases.leave_mark(tx, _PROBE, self._instance))
                    if self._journal is not None:
                        await self._journal.leave_mark()
                    self._ready_until = time.monotonic() + READY_FOR_SECONDS
        except (StoreUnavailable, TimeoutError) as error:
            return f"unreachable ({type(error).__name__})"
        return "ok"

    async def _temporal_state(self) -> str:
        if self._temporal is None:
            return "not needed"
        if not self._temporal.connected:
            return "not connected yet"
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                healthy = await self._temporal.client.service_client.check_health()
        except Exception as error:  # the transport may raise anything
            return f"unreachable ({type(error).__name__})"
        return "ok" if healthy else "not serving"


def metrics_endpoint(metrics: Metrics) -> EndpointRow:
    """Return the endpoint of the process's metrics."""

    async def serve_metrics(_request: Request, _principal: Principal, _nothing: NoInput) -> Response:
        """GET /metrics, in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Endpoint(
        "GET",
        "/metrics",
        "Get Prometheus metrics",
        Media("text/plain"),
        permission=METRICS_READ,
        takes=NoInput,
        handler=serve_metrics,
    )
