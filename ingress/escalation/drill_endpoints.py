"""REST endpoints for escalation drills, and for the services on which they may be held."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access.permissions import CONNECTIONS_WRITE, FINDINGS_READ, TOOLS_WRITE
from calmo_pagerduty.access.proofs import ProofKeys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.escalation import drill_gate_service as gate, drill_store as drills
from calmo_pagerduty.escalation.drill import OPEN_STATES
from calmo_pagerduty.escalation.drill_service import DrillHolder
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.snapshots.model import Service
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
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
from ingress.escalation.drill_starting import cancel_drill, keep_schedule, start_drill
from ingress.escalation.finding_services import service_id_of
from workflows import names
from workflows.escalation_drill import DrillStart

DRILLS = "/api/connections/{id}/escalation/drills"
DRILL = f"{DRILLS}/{{drill}}"
SERVICES = "/api/connections/{id}/escalation/drill-services"
NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
MAX_DRILLS = 50
#: A short drill is looked at more often, for whoever watches it. Each look asks PagerDuty twice.
MIN_LOOK_SECONDS, MAX_LOOK_SECONDS = 5, 20


class DrillEndpoints:
    """A drill pages people: it needs `tools:write`, a service that an administrator named, and the gate."""

    def __init__(
        self,
        database: Database,
        holder: DrillHolder,
        snapshots: SnapshotReader,
        temporal: TemporalHandle,
        task_queue: str,
        proofs: ProofKeys,
    ) -> None:
        self._database = database
        self._holder = holder
        self._snapshots = snapshots
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
                statuses=((409, "no drill may be held; the message says why"), *NOT_FOUND, *UNAVAILABLE),
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
                DRILL,
                "Show a drill: whom PagerDuty paged beside whom the simulation pages, also while it goes on",
                Json(DrillModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                f"{DRILL}/cancel",
                "Cancel a drill: its incident is resolved at once",
                Json(DrillModel, status=202),
                permission=TOOLS_WRITE,
                takes=NoInput,
                handler=self.cancel,
                statuses=((409, "the drill is over"), *NOT_FOUND, *UNAVAILABLE),
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
        service_id = service_id_of(await self._services(connection, principal), body.service)
        refusal, _ = await self._holder.why_refused(connection.id, service_id, principal.key_id)
        if refusal:
            raise ActionRefused(refusal)
        watch_seconds = body.watch_minutes * 60
        claims = drill_claims(principal.key_id, connection.id, service_id, watch_seconds)
        start = DrillStart(
            connection_id=connection.id,
            service_id=service_id,
            key_id=principal.key_id,
            watch_seconds=watch_seconds,
            proof=self._proofs.sign(claims, datetime.now(UTC) + DRILL_LIFETIME),
            look_every_seconds=min(MAX_LOOK_SECONDS, max(MIN_LOOK_SECONDS, 2 * body.watch_minutes)),
        )
        drill = await start_drill(self._temporal.client, self._task_queue, str(connection.scope), start)
        return StartedDrillModel(drill=drill, workflow_id=names.drill_workflow_id(connection.id, service_id))

    async def list(self, request: Request, principal: Principal, _nothing: NoInput) -> DrillListModel:
        """GET /api/connections/{id}/escalation/drills"""
        connection = await self._connection(request, principal)
        services = await self._services_if_known(connection, principal)

        def read(tx: Transaction) -> list[tuple[Drill, str | None]]:
            found = drills.list_drills(tx, connection.id, MAX_DRILLS)
            return [(drill, gate.waiting_call(tx, drill)) for drill in found]

        found = await self._database.read(read, principal.visibility)
        return DrillListModel(
            drills=[DrillModel.of(drill, principal.persons, services, call) for drill, call in found]
        )

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> DrillModel:
        """GET /api/connections/{id}/escalation/drills/{drill}"""
        connection = await self._connection(request, principal)
        drill, call = await self._drill(request, principal, connection)
        services = await self._services_if_known(connection, principal)
        return DrillModel.of(drill, principal.persons, services, call)

    async def cancel(self, request: Request, principal: Principal, _nothing: NoInput) -> DrillModel:
        """POST /api/connections/{id}/escalation/drills/{drill}/cancel"""
        connection = await self._connection(request, principal)
        drill, _call = await self._drill(request, principal, connection)
        if drill.state not in OPEN_STATES:
            raise ActionRefused(f"the drill {drill.id} is over: {drill.state}")
        client = self._temporal.client
        if not await cancel_drill(client, connection.id, drill):
            # Its workflow was lost: another one ends it.
            lost = DrillStart(connection_id=connection.id, service_id=drill.service_id, ends=drill.id)
            await start_drill(client, self._task_queue, str(connection.scope), lost)
        return await self.show(request, principal, _nothing)

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
        services = await self._services(connection, principal)
        service_id = service_id_of(services, body.service)
        named = DrillService(service_id, principal.key_id, datetime.now(UTC), body.every_days)
        await self._keep_schedule(connection, service_id, body.every_days)
        await self._database.write(
            lambda tx: drills.upsert_drill_service(tx, connection.id, named), seen_by=principal.visibility
        )
        return DrillServiceModel.of(named, services)

    async def forget_service(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> DrillServiceListModel:
        """DELETE /api/connections/{id}/escalation/drill-services/{service}"""
        connection, text = await self._connection(request, principal), request.path_params["service"]
        service_id = await self._named_service(connection, principal, text)
        if not await self._database.write(
            lambda tx: drills.delete_drill_service(tx, connection.id, service_id),
            seen_by=principal.visibility,
        ):
            raise ResourceNotFound(f"the service {text[:40]!r} was not named for drills")
        await self._keep_schedule(connection, service_id, None)
        return await self._named(connection, principal)

    async def _keep_schedule(self, connection: Connection, service_id: str, every_days: int | None) -> None:
        start = DrillStart(connection_id=connection.id, service_id=service_id)
        scope = str(connection.scope)
        await keep_schedule(self._temporal.client, self._task_queue, scope, start, every_days)

    async def _named(self, connection: Connection, principal: Principal) -> DrillServiceListModel:
        services = await self._services_if_known(connection, principal)
        named = await self._database.read(
            lambda tx: drills.list_drill_services(tx, connection.id), principal.visibility
        )
        models = []
        for item in named:
            refusal, _ = await self._holder.why_refused(connection.id, item.service_id, principal.key_id)
            models.append(DrillServiceModel.of(item, services, refusal or None))
        return DrillServiceListModel(services=models)

    async def _services(self, connection: Connection, principal: Principal) -> dict[str, Service]:
        """Return the newest snapshot's services. Raises SnapshotNotFound, SnapshotUnreadable."""
        snapshot = await self._snapshots.get(principal.visibility, connection.id)
        return {service.id: service for service in snapshot.services}

    async def _services_if_known(self, connection: Connection, principal: Principal) -> dict[str, Service]:
        try:
            return await self._services(connection, principal)
        except (SnapshotNotFound, SnapshotUnreadable):
            return {}

    async def _named_service(self, connection: Connection, principal: Principal, text: str) -> str:
        """Return the id. A service that is gone from the account can still be forgotten by its id."""
        try:
            return service_id_of(await self._services_if_known(connection, principal), text)
        except ResourceNotFound:
            return text

    async def _drill(
        self, request: Request, principal: Principal, connection: Connection
    ) -> tuple[Drill, str | None]:
        drill_id = request.path_params["drill"]

        def read(tx: Transaction) -> tuple[Drill, str | None] | None:
            found = drills.get_drill(tx, drill_id)
            if found is None or found.connection_id != connection.id:
                return None
            return found, gate.waiting_call(tx, found)

        found = await self._database.read(read, principal.visibility)
        if found is None:
            raise ResourceNotFound(f"there is no drill {drill_id[:60]!r}")
        return found

    async def _connection(self, request: Request, principal: Principal) -> Connection:
        return await self._database.read(
            lambda tx: require_connection(tx, principal.visibility, request.path_params["id"]),
            principal.visibility,
        )
