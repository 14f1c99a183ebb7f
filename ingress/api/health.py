"""Is it well: the process, the database, Temporal."""

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
    """The process, its database and its Temporal."""

    def __init__(self, database: Database, temporal: TemporalHandle) -> None:
        self._database = database
        self._temporal = temporal

    def endpoints(self) -> list[EndpointRow]:
        return [
            PublicEndpoint(
                "GET",
                "/healthz",
                "Does the process answer",
                Json(HealthModel),
                handler=self.healthz,
            ),
            PublicEndpoint(
                "GET",
                "/readyz",
                "Are database and Temporal there",
                Json(ReadinessModel),
                handler=self.readyz,
                statuses=((503, "one of them is not; the body says which"),),
                refuses_with=ReadinessModel,
            ),
        ]

    async def healthz(self, _request: Request) -> HealthModel:
        """GET /healthz: the process answers."""
        return HealthModel()

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: database and Temporal, each by itself."""
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
        except Exception as error:  # whatever the transport raises, the answer is the same
            return f"unreachable ({type(error).__name__})"
        return "ok" if healthy else "not serving"
