"""REST endpoints that show patterns, and what changes would have avoided. They read stored snapshots."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.patterns.analysis import analyse
from calmo_pagerduty.patterns.pictures import avoided_figure, noise_figure
from calmo_pagerduty.patterns.texts import PARTS
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.pictures import svg_response
from ingress.escalation.endpoints import NOT_FOUND, analysis_model
from ingress.escalation.models import AnalysisModel
from ingress.patterns.models import PatternsPlotQuery, PatternsQuery

PATH = "/api/connections/{id}/patterns"


class PatternEndpoints:
    """Analyses run in a thread."""

    def __init__(self, snapshots: SnapshotReader) -> None:
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                PATH,
                "Show flapping alerts, noise and groups, and the pages that each advice would have avoided",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=PatternsQuery,
                handler=self.patterns,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/plot.svg",
                "Draw the pages that advice would have avoided, or which services page most",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=PatternsPlotQuery,
                handler=self.plot,
                statuses=NOT_FOUND,
            ),
        ]

    async def patterns(self, request: Request, principal: Principal, query: PatternsQuery) -> AnalysisModel:
        """GET /api/connections/{id}/patterns"""
        result = await self._result(request, principal, query)
        if query.part is not None:
            left_out = PARTS.keys() - {query.part}
            metrics = {name: value for name, value in result.metrics.items() if name not in left_out}
            result = replace(result, metrics=metrics)
        return analysis_model(result)

    async def plot(self, request: Request, principal: Principal, query: PatternsPlotQuery) -> Response:
        """GET /api/connections/{id}/patterns/plot.svg"""
        result = await self._result(request, principal, query)
        draw = avoided_figure if query.plot == "avoided" else noise_figure
        return svg_response(draw(result.metrics))

    async def _result(
        self, request: Request, principal: Principal, query: PatternsQuery | PatternsPlotQuery
    ) -> AnalysisResult:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        snapshot = await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)
        moment = datetime.now(UTC) if query.now is None else to_utc(query.now)
        return await asyncio.to_thread(analyse, snapshot, int(moment.timestamp()))
