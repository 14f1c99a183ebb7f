"""Health checks of the process, the database and Temporal."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.api.endpoints import EndpointRow, Json, PublicEndpoint
from ingress.api.models import HealthModel, ReadinessModel

HEALTH_SECONDS = 1.0


class HealthEndpoints:
    """Liveness and readiness."""

    def __init__(self, database: Database, temporal: TemporalHandle) -> None:
        self._database = database
        self._temporal = temporal

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
                "Check that database and Temporal answer",
                Json(ReadinessModel),
                handler=self.readyz,
                statuses=((503, "one of them does not answer; the body says which"),),
                refuses_with=ReadinessModel,
            ),
        ]

    async def healthz(self, _request: Request) -> HealthModel:
        """GET /healthz: the process answers."""
        return HealthModel()

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: the state of the database and of Temporal."""
        database, temporal = await asyncio.gather(self._database_state(), self._temporal_state())
        ready = database == temporal == "ok"
        model = ReadinessModel(ready=ready, database=database, temporal=temporal)
        return Response(model.model_dump_json(), 200 if ready else 503, media_type="application/json")

    async def _database_state(self) -> str:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._database.read(issue_queries.get_latest_change_id)
        except (StoreUnavailable, TimeoutError) as error:
            return f"unreachable ({type(error).__name__})"
        return "ok"

    async def _temporal_state(self) -> str:
        if not self._temporal.connected:
            return "not connected yet"
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                healthy = await self._temporal.client.service_client.check_health()
        except Exception as error:  # the transport may raise anything
            return f"unreachable ({type(error).__name__})"
        return "ok" if healthy else "not serving"
