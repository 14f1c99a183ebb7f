"""REST endpoints that show how fast groups answer and resolve. They read stored snapshots."""

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.performance.analysis import analyse_performance
from calmo_pagerduty.performance.pictures import performance_figure
from calmo_pagerduty.performance.report import Question, Scope, default_window, period
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.pictures import svg_response
from ingress.escalation.endpoints import NOT_FOUND, analysis_model
from ingress.escalation.models import AnalysisModel
from ingress.performance.models import PerformancePlotQuery, PerformanceQuery

PATH = "/api/connections/{id}/performance"


class PerformanceEndpoints:
    """Analyses run in a thread. They name services, teams and policies, and no persons."""

    def __init__(self, snapshots: SnapshotReader) -> None:
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                PATH,
                "Show how fast services, teams or policies acknowledge and resolve, beside the time before",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=PerformanceQuery,
                handler=self.performance,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/plot.svg",
                "Draw the median times of all groups, in this window and in the one before",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=PerformancePlotQuery,
                handler=self.plot,
                statuses=NOT_FOUND,
            ),
        ]

    async def performance(
        self, request: Request, principal: Principal, query: PerformanceQuery
    ) -> AnalysisModel:
        """GET /api/connections/{id}/performance. Raises SnapshotNotFound, InvalidPeriod."""
        return analysis_model(await self._analyse(request, principal, query))

    async def plot(self, request: Request, principal: Principal, query: PerformancePlotQuery) -> Response:
        """GET /api/connections/{id}/performance/plot.svg. Raises SnapshotNotFound, InvalidPeriod."""
        result = await self._analyse(request, principal, query)
        return svg_response(performance_figure(result.metrics, query.milestone))

    async def _analyse(
        self, request: Request, principal: Principal, query: PerformanceQuery
    ) -> AnalysisResult:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        snapshot = await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)
        now = int((datetime.now(UTC) if query.now is None else to_utc(query.now)).timestamp())
        question = question_of(snapshot, query, now)
        return await asyncio.to_thread(analyse_performance, snapshot, now, question)


def question_of(snapshot: AccountSnapshot, query: PerformanceQuery, now: int) -> Question:
    """Return what is asked, in epoch seconds. Raises InvalidPeriod for a window that is no time."""
    since = None if query.since is None else int(query.since.timestamp())
    until = None if query.until is None else int(query.until.timestamp())
    window = period(since, until, default_window(snapshot, now))
    return Question(
        window,
        query.by,
        Scope(query.urgency, _only(query.service), _only(query.team), _only(query.policy)),
    )


def _only(id: str | None) -> tuple[str, ...]:
    return () if id is None else (id,)
