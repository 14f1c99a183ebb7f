"""REST endpoints for escalation drills, and for the services on which they may be held."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access.permissions import CONNECTIONS_WRITE, FINDINGS_READ, TOOLS_WRITE
from calmo_pagerduty.access.proofs import ProofKeys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill_store import DrillService
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tool_calls.proofs import DRILL_LIFETIME, drill_claims
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import ActionRefused, ResourceNotFound
from ingress.api.finding import require_connection
from ingress.escalation.drill_models import (
    DrillBody,
    DrillListModel,
    DrillModel,
    DrillServiceBody,
    DrillServiceListModel,
    DrillServiceModel,
    StartedDrillModel,
)
from ingress.escalation.drill_starting import keep_schedule, start_drill
from workflows import names
from workflows.escalation_drill import DrillStart

DRILLS = "/api/connections/{id}/escalation/drills"
SERVICES = "/api/connections/{id}/escalation/drill-services"
NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
MAX_DRILLS = 50


class DrillEndpoints:
    """A drill pages people: it needs `tools:write`, a service that an administrator named, and the gate."""

    def __init__(
        self, database: Database, temporal: TemporalHandle, task_queue: str, proofs: ProofKeys
    ) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue
        self._proofs = proofs

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST",
                DRILLS,
                "Hold an escalation drill: page the people on call by a test incident that resolves itself",
                Json(StartedDrillModel, status=202),
                permission=TOOLS_WRITE,
                takes=DrillBody,
                handler=self.start,
                statuses=((409, "the service was not named for drills"), *NOT_FOUND, *UNAVAILABLE),
            ),
            Endpoint(
                "GET",
                DRILLS,
                "List a connection's escalation drills",
                Json(DrillListModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.list,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                SERVICES,
                "List the services that were named for drills",
                Json(DrillServiceListModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.services,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                SERVICES,
                "Name a service for drills, or change how often they are held",
                Json(DrillServiceModel),
                permission=CONNECTIONS_WRITE,
                takes=DrillServiceBody,
                handler=self.name_service,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
            Endpoint(
                "DELETE",
                f"{SERVICES}/{{service}}",
                "Hold no more drills on a service",
                Json(DrillServiceListModel),
                permission=CONNECTIONS_WRITE,
                takes=NoInput,
                handler=self.forget_service,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
        ]

    async def start(self, request: Request, principal: Principal, body: DrillBody) -> StartedDrillModel:
        """POST /api/connections/{id}/escalation/drills"""
        connection = await self._connection(request, principal)
        named = await self._database.read(
            lambda tx: drills.get_drill_service(tx, connection.id, body.service), principal.visibility
        )
        if named is None:
            raise ActionRefused(
                f"the service {body.service} was not named for drills: calmo-pagerduty escalation"
                " drill-service"
            )
        watch_seconds = body.watch_minutes * 60
        claims = drill_claims(principal.key_id, connection.id, body.service, watch_seconds)
        start = DrillStart(
            connection_id=connection.id,
            service_id=body.service,
            key_id=principal.key_id,
            watch_seconds=watch_seconds,
            proof=self._proofs.sign(claims, datetime.now(UTC) + DRILL_LIFETIME),
        )
        drill = await start_drill(self._temporal.client, self._task_queue, str(connection.scope), start)
        workflow_id = names.drill_workflow_id(connection.id, body.service)
        return StartedDrillModel(drill=drill, workflow_id=workflow_id)

    async def list(self, request: Request, principal: Principal, _nothing: NoInput) -> DrillListModel:
        """GET /api/connections/{id}/escalation/drills"""
        connection = await self._connection(request, principal)
        found = await self._database.read(
            lambda tx: drills.list_drills(tx, connection.id, MAX_DRILLS), principal.visibility
        )
        return DrillListModel(drills=[DrillModel.of(drill, principal.persons) for drill in found])

    async def services(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> DrillServiceListModel:
        """GET /api/connections/{id}/escalation/drill-services"""
        return await self._named(await self._connection(request, principal), principal)

    async def name_service(
        self, request: Request, principal: Principal, body: DrillServiceBody
    ) -> DrillServiceModel:
        """POST /api/connections/{id}/escalation/drill-services"""
        connection = await self._connection(request, principal)
        named = DrillService(body.service, principal.key_id, datetime.now(UTC), body.every_days)
        await self._keep_schedule(connection, body.service, body.every_days)
        await self._database.write(lambda tx: drills.upsert_drill_service(tx, connection.id, named))
        return DrillServiceModel.of(named)

    async def forget_service(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> DrillServiceListModel:
        """DELETE /api/connections/{id}/escalation/drill-services/{service}"""
        connection, service_id = await self._connection(request, principal), request.path_params["service"]
        if not await self._database.write(
            lambda tx: drills.delete_drill_service(tx, connection.id, service_id)
        ):
            raise ResourceNotFound(f"the service {service_id[:40]!r} was not named for drills")
        await self._keep_schedule(connection, service_id, None)
        return await self._named(connection, principal)

    async def _keep_schedule(self, connection: Connection, service_id: str, every_days: int | None) -> None:
        start = DrillStart(connection_id=connection.id, service_id=service_id)
        scope = str(connection.scope)
        await keep_schedule(self._temporal.client, self._task_queue, scope, start, every_days)

    async def _named(self, connection: Connection, principal: Principal) -> DrillServiceListModel:
        named = await self._database.read(
            lambda tx: drills.list_drill_services(tx, connection.id), principal.visibility
        )
        return DrillServiceListModel(services=[DrillServiceModel.of(service) for service in named])

    async def _connection(self, request: Request, principal: Principal) -> Connection:
        return await self._database.read(
            lambda tx: require_connection(tx, principal.visibility, request.path_params["id"]),
            principal.visibility,
        )
