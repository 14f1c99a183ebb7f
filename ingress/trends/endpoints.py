"""REST endpoints that show trends, forecasts and capacity. They read stored snapshots."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.trends.analysis import analyse_capacity, analyse_trends
from calmo_pagerduty.trends.pictures import capacity_figure, trend_figures
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.errors import ResourceNotFound
from ingress.api.pictures import svg_response
from ingress.escalation.endpoints import NOT_FOUND, analysis_model
from ingress.escalation.models import AnalysisModel
from ingress.trends.models import CapacityQuery, TrendPlotQuery, TrendsQuery

PATH = "/api/connections/{id}"


class TrendEndpoints:
    """Analyses run in a thread. They name services, teams and policies, and no persons."""

    def __init__(self, snapshots: SnapshotReader) -> None:
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                f"{PATH}/trends",
                "Show which services' incidents come more often, their seasons and forecasts",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=TrendsQuery,
                handler=self.trends,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/trends/plot.svg",
                "Draw a service's incidents per week, its hours of the week or its forecasts",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=TrendPlotQuery,
                handler=self.plot,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/capacity",
                "Show incidents per shift beside the limit, people needed, and when the limit is reached",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=CapacityQuery,
                handler=self.capacity,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/capacity/plot.svg",
                "Draw each policy's incidents per shift beside the limit",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=CapacityQuery,
                handler=self.capacity_plot,
                statuses=NOT_FOUND,
            ),
        ]

    async def trends(self, request: Request, principal: Principal, query: TrendsQuery) -> AnalysisModel:
        """GET /api/connections/{id}/trends"""
        result = await self._trends(request, principal, query)
        if query.service is not None:
            rows = [row for row in result.metrics["services"] if row["service_id"] == query.service]
            result = replace(result, metrics={**result.metrics, "services": rows})
        return analysis_model(result)

    async def plot(self, request: Request, principal: Principal, query: TrendPlotQuery) -> Response:
        """GET /api/connections/{id}/trends/plot.svg"""
        result = await self._trends(request, principal, query)
        for row in result.metrics["services"]:
            if row["service_id"] == query.service:
                figures = trend_figures(row)
                if query.plot < len(figures):
                    return svg_response(figures[query.plot])
        raise ResourceNotFound(f"the snapshot has no such plot of a service {query.service!r}")

    async def capacity(self, request: Request, principal: Principal, query: CapacityQuery) -> AnalysisModel:
        """GET /api/connections/{id}/capacity"""
        return analysis_model(await self._capacity(request, principal, query))

    async def capacity_plot(self, request: Request, principal: Principal, query: CapacityQuery) -> Response:
        """GET /api/connections/{id}/capacity/plot.svg"""
        result = await self._capacity(request, principal, query)
        return svg_response(capacity_figure(result.metrics))

    async def _trends(self, request: Request, principal: Principal, query: CapacityQuery) -> AnalysisResult:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        snapshot = await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)
        return await asyncio.to_thread(analyse_trends, snapshot, _seconds(query.now))

    async def _capacity(self, request: Request, principal: Principal, query: CapacityQuery) -> AnalysisResult:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        snapshot = await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)
        return await asyncio.to_thread(analyse_capacity, snapshot, _seconds(query.now))


def _seconds(moment: datetime | None) -> int:
    return int((datetime.now(UTC) if moment is None else to_utc(moment)).timestamp())
