"""REST endpoints of kept reports: when they are made, where they are sent, and how that went."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from calmo_pagerduty.access.permissions import CONNECTIONS_ADMIN, CONNECTIONS_WRITE, FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.reports import queries
from calmo_pagerduty.reports.delivery_service import ReportDeliveryService
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.finding import require_connection
from ingress.escalation.endpoints import NOT_FOUND
from ingress.findings.digest_endpoints import UNAVAILABLE
from ingress.reconciliation.digest_schedules import DigestTime
from ingress.reports import report_schedules
from ingress.reports.kept_models import (
    KeptReportModel,
    KeptReportsModel,
    NewReportAddressModel,
    ReportAddressBody,
    ReportAddressModel,
    ReportDeliveriesModel,
    ReportDeliveryModel,
    ReportScheduleBody,
    ReportScheduleModel,
    ReportSchedulesModel,
)

PATH = "/api/connections/{id}"
T = TypeVar("T")


class KeptReportEndpoints:
    """Errors: `ingress.api.errors`."""

    def __init__(
        self, database: Database, deliveries: ReportDeliveryService, temporal: TemporalHandle, task_queue: str
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._temporal = temporal
        self._task_queue = task_queue

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET", f"{PATH}/reports", "List kept reports", Json(KeptReportsModel),
                permission=FINDINGS_READ, takes=NoInput, handler=self.list_reports, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/report-deliveries", "List attempts to deliver reports",
                Json(ReportDeliveriesModel),
                permission=FINDINGS_READ, takes=NoInput, handler=self.list_deliveries, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/report-address", "Show where reports are sent", Json(ReportAddressModel),
                permission=CONNECTIONS_ADMIN, takes=NoInput, handler=self.show_address, statuses=NOT_FOUND,
            ),
            Endpoint(
                "PUT", f"{PATH}/report-address", "Have reports sent to an address; returns the new secret",
                Json(NewReportAddressModel),
                permission=CONNECTIONS_ADMIN, takes=ReportAddressBody, handler=self.set_address,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "DELETE", f"{PATH}/report-address", "Send no more reports", Json(ReportAddressModel),
                permission=CONNECTIONS_ADMIN, takes=NoInput, handler=self.remove_address, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/report-schedules", "Show when reports are made", Json(ReportSchedulesModel),
                permission=FINDINGS_READ, takes=NoInput, handler=self.show_schedules,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
            Endpoint(
                "PUT", f"{PATH}/report-schedules", "Say when a kind of report is made",
                Json(ReportSchedulesModel),
                permission=CONNECTIONS_WRITE, takes=ReportScheduleBody, handler=self.reschedule,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
        ]  # fmt: skip

    async def list_reports(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> KeptReportsModel:
        """GET /api/connections/{id}/reports"""
        found = await self._read(request, principal, queries.list_reports)
        return KeptReportsModel(reports=[KeptReportModel.from_row(row) for row in found])

    async def list_deliveries(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> ReportDeliveriesModel:
        """GET /api/connections/{id}/report-deliveries"""
        found = await self._read(request, principal, queries.list_deliveries)
        return ReportDeliveriesModel(deliveries=[ReportDeliveryModel.from_row(row) for row in found])

    async def show_address(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> ReportAddressModel:
        """GET /api/connections/{id}/report-address"""
        found = await self._read(request, principal, queries.get_address)
        if found is None:
            return ReportAddressModel(url=None, set_by=None, set_at=None)
        return ReportAddressModel(url=found.url, set_by=found.set_by, set_at=found.set_at)

    async def set_address(
        self, request: Request, principal: Principal, body: ReportAddressBody
    ) -> NewReportAddressModel:
        """PUT /api/connections/{id}/report-address. Raises AddressRefused."""
        connection = await self._connection(request, principal)
        secret = await self._deliveries.set_address(principal, connection, body.url)
        return NewReportAddressModel(url=body.url, secret=secret)

    async def remove_address(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> ReportAddressModel:
        """DELETE /api/connections/{id}/report-address"""
        await self._deliveries.remove_address(principal, await self._connection(request, principal))
        return ReportAddressModel(url=None, set_by=None, set_at=None)

    async def show_schedules(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> ReportSchedulesModel:
        """GET /api/connections/{id}/report-schedules. Raises TemporalUnavailable."""
        return await self._schedules((await self._connection(request, principal)).id)

    async def reschedule(
        self, request: Request, principal: Principal, body: ReportScheduleBody
    ) -> ReportSchedulesModel:
        """PUT /api/connections/{id}/report-schedules. Raises TemporalUnavailable."""
        connection, client = await self._connection(request, principal), self._temporal.client
        if body.every == "never":
            await report_schedules.delete_schedule(client, connection.id, body.kind)
        else:
            await report_schedules.put_schedule(
                client,
                self._task_queue,
                connection.id,
                str(connection.scope),
                body.kind,
                DigestTime(body.weekday, body.hour, body.minute, body.time_zone),
                monthly=body.every == "month",
                days=body.days,
            )
        return await self._schedules(connection.id)

    async def _schedules(self, connection_id: str) -> ReportSchedulesModel:
        found = await report_schedules.list_schedules(self._temporal.client, connection_id)
        return ReportSchedulesModel(
            schedules=[
                ReportScheduleModel(
                    kind=str(row.kind),
                    is_paused=row.is_paused,
                    next_times=list(row.next_times),
                    days=row.days,
                )
                for row in found
            ]
        )

    async def _read(
        self, request: Request, principal: Principal, query: Callable[[Transaction, Visibility, str], T]
    ) -> T:
        """Read something of the connection within what the caller may see."""
        connection, visibility = await self._connection(request, principal), principal.visibility
        return await self._database.read(lambda tx: query(tx, visibility, connection.id), visibility)

    async def _connection(self, request: Request, principal: Principal) -> Connection:
        connection_id, visibility = request.path_params["id"], principal.visibility
        return await self._database.read(
            lambda tx: require_connection(tx, visibility, connection_id), visibility
        )
