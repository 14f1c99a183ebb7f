"""REST endpoints that show patterns, and what changes would have avoided. They read stored snapshots."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ, ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.contexts.facts import ResolutionText
from calmo_pagerduty.contexts.resolution_queries import list_resolution_texts
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.patterns.analysis import result_of
from calmo_pagerduty.patterns.document import patterns_document
from calmo_pagerduty.patterns.pictures import avoided_figure, noise_figure
from calmo_pagerduty.patterns.report import pattern_report
from calmo_pagerduty.patterns.story_document import story_document
from calmo_pagerduty.patterns.story_service import StoryService
from calmo_pagerduty.patterns.texts import PARTS
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.workload.privacy import may_see
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.pictures import svg_response
from ingress.escalation.endpoints import NOT_FOUND, analysis_model
from ingress.escalation.models import AnalysisModel
from ingress.patterns.models import PatternsPlotQuery, PatternsQuery, StoriesModel, StoriesQuery

PATH = "/api/connections/{id}/patterns"


class PatternEndpoints:
    """Analyses run in a thread. Persons are those that the reader may see; texts need `issues:read`."""

    def __init__(self, database: Database, snapshots: SnapshotReader) -> None:
        self._database = database
        self._snapshots = snapshots
        self._stories = StoryService(database, snapshots)

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
            Endpoint(
                "GET",
                "/api/stories",
                "Show incidents of several teams or accounts that belong together, and why",
                Json(StoriesModel),
                permission=FINDINGS_READ,
                takes=StoriesQuery,
                handler=self.stories,
            ),
        ]

    async def patterns(self, request: Request, principal: Principal, query: PatternsQuery) -> AnalysisModel:
        """GET /api/connections/{id}/patterns"""
        left_out = PARTS.keys() - {query.part} if query.part is not None else frozenset()
        result = await self._result(request, principal, query)
        metrics = {name: value for name, value in result.metrics.items() if name not in left_out}
        return analysis_model(replace(result, metrics=metrics))

    async def plot(self, request: Request, principal: Principal, query: PatternsPlotQuery) -> Response:
        """GET /api/connections/{id}/patterns/plot.svg"""
        result = await self._result(request, principal, query)
        draw = avoided_figure if query.plot == "avoided" else noise_figure
        return svg_response(draw(result.metrics))

    async def stories(self, request: Request, principal: Principal, query: StoriesQuery) -> StoriesModel:
        """GET /api/stories"""
        until = datetime.now(UTC) if query.now is None else to_utc(query.now)
        since = until - timedelta(hours=query.hours)
        told = await self._stories.tell(principal, Span(int(since.timestamp()), int(until.timestamp()) + 1))
        return StoriesModel(
            since=since,
            until=until,
            accounts=list(told.accounts),
            unread=list(told.unread),
            stories=[story_document(story, accounts) for story, accounts in told.stories],
        )

    async def _result(
        self, request: Request, principal: Principal, query: PatternsQuery | PatternsPlotQuery
    ) -> AnalysisResult:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        connection_id = request.path_params["id"]
        snapshot = await self._snapshots.get(principal.visibility, connection_id, as_of)
        known: Mapping[str, ResolutionText] = {}
        if ISSUES_READ in principal.permissions:
            known = await self._database.read(
                lambda tx: list_resolution_texts(tx, principal.visibility, connection_id),
                principal.visibility,
            )
        moment = datetime.now(UTC) if query.now is None else to_utc(query.now)
        now, admits = int(moment.timestamp()), may_see(snapshot, principal.persons)

        def analysed() -> AnalysisResult:
            report = pattern_report(snapshot, now)
            return replace(result_of(report, now), metrics=patterns_document(report, admits, known))

        return await asyncio.to_thread(analysed)
