"""REST endpoints for reconciliation and the doctor."""

import asyncio
import contextlib

from starlette.requests import Request
from temporalio.client import WorkflowFailureError

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, CONNECTIONS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.service import NO_CREDENTIAL_TEXT
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import examination_store as examinations
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.finding import require_connection
from ingress.reconciliation import schedules
from ingress.reconciliation.models import (
    DoctorBody,
    DoctorModel,
    DoctorQuery,
    ReconcileBody,
    ReconcileModel,
    RunListModel,
    doctor_model,
    run_model,
)
from workflows.reconcile import ReconcileStart

NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
MAX_RUNS = 50
#: How long POST /api/doctor waits for the examinations.
WAIT_SECONDS = 8.0


class ReconcileEndpoints:
    """Endpoints for reconciliation and the doctor. Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST",
                "/api/connections/{id}/reconcile",
                "Reconcile a connection's issues with PagerDuty",
                Json(ReconcileModel, status=202),
                permission=CONNECTIONS_WRITE,
                takes=ReconcileBody,
                handler=self.reconcile,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
            Endpoint(
                "GET",
                "/api/connections/{id}/reconciliations",
                "List a connection's reconciliations",
                Json(RunListModel),
                permission=CONNECTIONS_READ,
                takes=NoInput,
                handler=self.runs,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                "/api/doctor",
                "List the findings of the last webhook examinations",
                Json(DoctorModel),
                permission=CONNECTIONS_READ,
                takes=DoctorQuery,
                handler=self.findings,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/doctor",
                "Examine webhooks now",
                Json(DoctorModel),
                permission=CONNECTIONS_WRITE,
                takes=DoctorBody,
                handler=self.examine,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
        ]

    async def reconcile(self, request: Request, principal: Principal, body: ReconcileBody) -> ReconcileModel:
        """POST /api/connections/{id}/reconcile"""
        connection = await self._get_connection(principal, request.path_params["id"])
        if connection.token_kind is None:
            return ReconcileModel(connection=connection.id, started=False, problem=NO_CREDENTIAL_TEXT)
        before = await self._database.read(
            lambda t: reconciliations.list_runs(t, connection.id, 1), principal.visibility
        )
        start = ReconcileStart(connection_id=connection.id, reason="on demand", since=body.since)
        scope = str(connection.scope)
        workflow_id = await schedules.start_reconcile(self._temporal.client, self._task_queue, scope, start)
        after = before[0].id if before else 0
        return ReconcileModel(connection=connection.id, started=True, workflow_id=workflow_id, after=after)

    async def runs(self, request: Request, principal: Principal, _nothing: NoInput) -> RunListModel:
        """GET /api/connections/{id}/reconciliations"""
        connection = await self._get_connection(principal, request.path_params["id"])
        return await self._database.read(
            lambda t: RunListModel(
                connection=connection.id,
                reconciled_until=reconciliations.get_watermark(t, connection.id),
                runs=[run_model(run) for run in reconciliations.list_runs(t, connection.id, MAX_RUNS)],
            ),
            principal.visibility,
        )

    async def findings(self, _request: Request, principal: Principal, query: DoctorQuery) -> DoctorModel:
        """GET /api/doctor"""
        return await self._list_findings(principal, query.connection)

    async def examine(self, _request: Request, principal: Principal, body: DoctorBody) -> DoctorModel:
        """POST /api/doctor. The findings of an examination that takes longer are in a later GET."""
        if body.connection is not None:
            examined = [await self._get_connection(principal, body.connection)]
        else:
            examined = list(
                await self._database.read(
                    lambda t: connections.list_connections(t, principal.visibility), principal.visibility
                )
            )
        handles = [
            await schedules.start_doctor(
                self._temporal.client, self._task_queue, str(connection.scope), connection.id
            )
            for connection in examined
        ]
        with contextlib.suppress(TimeoutError, WorkflowFailureError):
            async with asyncio.timeout(WAIT_SECONDS):
                for handle in handles:
                    await handle.result()
        return await self._list_findings(principal, body.connection)

    async def _list_findings(self, principal: Principal, connection_id: str | None) -> DoctorModel:
        if connection_id is not None:
            await self._get_connection(principal, connection_id)
        return doctor_model(
            await self._database.read(
                lambda t: examinations.list_examinations(t, principal.visibility, connection_id),
                principal.visibility,
            )
        )

    async def _get_connection(self, principal: Principal, connection_id: str) -> Connection:
        return await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )
