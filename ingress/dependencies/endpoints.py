"""REST endpoints of service dependencies: the map, what is critical, single points of failure, proposals.

They read stored snapshots; what is open now comes from our issues. Errors: `ingress.api.errors`.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ, ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.dependencies.collapsing import CollapsedMap, collapse
from calmo_pagerduty.dependencies.documents import (
    changes_document,
    critical_document,
    proposals_document,
    single_points_document,
)
from calmo_pagerduty.dependencies.graph import find_service, graph_of
from calmo_pagerduty.dependencies.picture import map_figure
from calmo_pagerduty.dependencies.report import DependencyReport, dependency_report
from calmo_pagerduty.dependencies.service_map import (
    MapFilter,
    OpenIncident,
    ServiceMap,
    open_at,
    service_map,
)
from calmo_pagerduty.dependencies.text_forms import dot, map_description, map_document, mermaid
from calmo_pagerduty.dependencies.undeclared import FALSE_DISCOVERY_RATE
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.queries import IssueFilter
from calmo_pagerduty.kernel.instants import format_instant, to_utc
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.dependency_model import ServiceKey
from calmo_pagerduty.snapshots.model import AccountSnapshot, Urgency
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.errors import ResourceNotFound
from ingress.api.pictures import svg_response
from ingress.dependencies.models import (
    CriticalModel,
    DependencyChangesModel,
    MapModel,
    MapPictureQuery,
    MapQuery,
    ReportQuery,
    SinglePointsModel,
    SnapshotQuery,
    UndeclaredModel,
)

PATH = "/api/connections/{id}/dependencies"
NOT_FOUND = ((404, "there is no such connection or service, or no snapshot yet; the message says which"),)
#: Open issues that a map shows. An account with more has other worries.
MAX_OPEN = 500
IncidentSource = Literal["issues", "snapshot"]


class ShownMap(NamedTuple):
    """A map with what it was made from."""

    map: ServiceMap
    snapshot: AccountSnapshot
    incidents_from: IncidentSource

    def collapsed(self) -> CollapsedMap:
        return collapse(self.map, {team.id: team.name for team in self.snapshot.teams})

    def figure(self) -> Figure:
        at = format_instant(datetime.fromtimestamp(self.map.at, UTC))
        return map_figure(self.collapsed(), f"Services at {at}", map_description(self.map))


class DependencyEndpoints:
    """Endpoints that read snapshots. Maps and reports are computed in a thread."""

    def __init__(self, database: Database, snapshots: SnapshotReader) -> None:
        self._database = database
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET", f"{PATH}/map",
                "Show services and their dependencies with open incidents, as JSON, Mermaid or DOT",
                Json(MapModel), permission=FINDINGS_READ, takes=MapQuery, handler=self.map,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/map.svg",
                "Draw the map of services: business services above, technical ones below",
                Media("image/svg+xml"), permission=FINDINGS_READ, takes=MapPictureQuery,
                handler=self.map_picture, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/critical",
                "Show what business services lost, by which services, and what repairing one would gain",
                Json(CriticalModel), permission=FINDINGS_READ, takes=ReportQuery, handler=self.critical,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/single-points",
                "Show single points of failure of business services, by hours contributed",
                Json(SinglePointsModel), permission=FINDINGS_READ, takes=ReportQuery,
                handler=self.single_points, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/undeclared",
                "Propose dependencies from incidents that begin together more often than by chance",
                Json(UndeclaredModel), permission=FINDINGS_READ, takes=ReportQuery,
                handler=self.undeclared, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/changes",
                "List dependencies that were added and removed, between which readings",
                Json(DependencyChangesModel), permission=FINDINGS_READ, takes=SnapshotQuery,
                handler=self.changes, statuses=NOT_FOUND,
            ),
        ]  # fmt: skip

    async def map(self, request: Request, principal: Principal, query: MapQuery) -> MapModel | Response:
        """GET /api/connections/{id}/dependencies/map"""
        shown = await self.shown_map(request, principal, query)
        if query.format != "json":
            written = await asyncio.to_thread(lambda: _WRITERS[query.format](shown.collapsed()))
            return Response(written, media_type="text/plain; charset=utf-8")
        return MapModel.model_validate(
            map_document(shown.map)
            | {
                "snapshot_id": shown.snapshot.id,
                "snapshot_taken_at": shown.snapshot.taken_at,
                "incidents_from": shown.incidents_from,
            }
        )

    async def map_picture(self, request: Request, principal: Principal, query: MapPictureQuery) -> Response:
        """GET /api/connections/{id}/dependencies/map.svg"""
        shown = await self.shown_map(request, principal, query)
        return svg_response(await asyncio.to_thread(shown.figure))

    async def shown_map(self, request: Request, principal: Principal, query: MapPictureQuery) -> ShownMap:
        """Return the map that is asked for. Raises ResourceNotFound, SnapshotNotFound."""
        connection_id = request.path_params["id"]
        snapshot = await self._snapshot(request, principal, query)
        now = datetime.now(UTC)
        at = min(to_utc(query.at or query.as_of or now), now)
        is_live = query.at is None and query.as_of is None and ISSUES_READ in principal.permissions
        incidents = (
            await self._open_issues(principal, connection_id)
            if is_live
            else open_at(snapshot.incidents, int(at.timestamp()))
        )
        part = MapFilter(
            None if query.focus is None else _service(snapshot, query.focus),
            query.hops,
            tuple(query.team),
            query.text,
        )
        drawn = await asyncio.to_thread(service_map, snapshot, int(at.timestamp()), incidents, part)
        return ShownMap(drawn, snapshot, "issues" if is_live else "snapshot")

    async def critical(self, request: Request, principal: Principal, query: ReportQuery) -> CriticalModel:
        """GET /api/connections/{id}/dependencies/critical"""
        snapshot, report = await self.report(request, principal, query)
        document = critical_document(report, _business(snapshot, query))
        return CriticalModel.model_validate(_with_window(snapshot, document))

    async def single_points(
        self, request: Request, principal: Principal, query: ReportQuery
    ) -> SinglePointsModel:
        """GET /api/connections/{id}/dependencies/single-points"""
        snapshot, report = await self.report(request, principal, query)
        document = single_points_document(report, _business(snapshot, query))
        return SinglePointsModel.model_validate(_with_window(snapshot, document))

    async def undeclared(self, request: Request, principal: Principal, query: ReportQuery) -> UndeclaredModel:
        """GET /api/connections/{id}/dependencies/undeclared"""
        snapshot, report = await self.report(request, principal, query)
        return UndeclaredModel.model_validate(
            {
                "snapshot_id": snapshot.id,
                "false_discovery_rate": FALSE_DISCOVERY_RATE,
                **proposals_document(report),
            }
        )

    async def changes(
        self, request: Request, principal: Principal, query: SnapshotQuery
    ) -> DependencyChangesModel:
        """GET /api/connections/{id}/dependencies/changes"""
        snapshot = await self._snapshot(request, principal, query)
        return DependencyChangesModel(snapshot_id=snapshot.id, changes=changes_document(snapshot))

    async def report(
        self, request: Request, principal: Principal, query: ReportQuery
    ) -> tuple[AccountSnapshot, DependencyReport]:
        """Return the snapshot and what it says. Raises SnapshotNotFound."""
        snapshot = await self._snapshot(request, principal, query)
        now = to_utc(query.now or query.as_of or datetime.now(UTC))
        made = await asyncio.to_thread(dependency_report, snapshot, int(now.timestamp()), query.days)
        return snapshot, made

    async def _snapshot(
        self, request: Request, principal: Principal, query: SnapshotQuery
    ) -> AccountSnapshot:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        return await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)

    async def _open_issues(self, principal: Principal, connection_id: str) -> tuple[OpenIncident, ...]:
        wanted = IssueFilter(statuses=(IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED))

        def read(tx: Transaction) -> tuple[OpenIncident, ...]:
            page = issue_queries.list_issues(tx, principal.visibility, wanted, MAX_OPEN)
            return tuple(
                OpenIncident(
                    issue.ref.incident_id,
                    issue.service.id,
                    Urgency.LOW if issue.urgency == Urgency.LOW else Urgency.HIGH,
                    issue.priority,
                )
                for issue in page.issues
                if issue.service is not None and issue.ref.connection_id == connection_id
            )

        return await self._database.read(read, principal.visibility)


_WRITERS = {"mermaid": mermaid, "dot": dot}


def _service(snapshot: AccountSnapshot, text: str) -> ServiceKey:
    """Raises ResourceNotFound."""
    found = find_service(graph_of(snapshot), text)
    if found is None:
        raise ResourceNotFound(f"the snapshot has no service {text[:60]!r}")
    return found


def _business(snapshot: AccountSnapshot, query: ReportQuery) -> ServiceKey | None:
    return None if query.service is None else _service(snapshot, query.service)


def _with_window(snapshot: AccountSnapshot, document: dict[str, Any]) -> dict[str, Any]:
    since, until = document.pop("window")
    return {"snapshot_id": snapshot.id, "since": since, "until": until, **document}
