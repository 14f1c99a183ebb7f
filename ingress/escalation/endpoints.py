"""REST endpoints that simulate incidents, lint escalation policies and show how incidents are answered.

They read stored snapshots. Errors: `ingress.api.errors`.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.escalation import lint, response_analysis
from calmo_pagerduty.escalation.lint_tables import lint_csv, lint_markdown
from calmo_pagerduty.escalation.model import Simulation
from calmo_pagerduty.escalation.pictures import response_curves, simulation_lanes, simulation_window
from calmo_pagerduty.escalation.privacy import lint_for, simulation_for
from calmo_pagerduty.escalation.response import account_response
from calmo_pagerduty.escalation.simulation import simulate_with
from calmo_pagerduty.escalation.simulation_report import simulation_report
from calmo_pagerduty.findings.codec import result_document
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.oncall.policy_review_html import policy_review_html
from calmo_pagerduty.plots.codec import lanes_to_json
from calmo_pagerduty.plots.figures import steps_figure
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.errors import ResourceNotFound
from ingress.api.pictures import SVG_HEADERS, svg_response
from ingress.escalation.finding_services import service_id_of
from ingress.escalation.models import (
    AnalysisModel,
    LadderQuery,
    LintQuery,
    ResponseQuery,
    SimulationModel,
    SimulationQuery,
    SnapshotQuery,
)

NOT_FOUND = ((404, "there is no such connection or object, or no snapshot yet; the message says which"),)
PATH = "/api/connections/{id}/escalation"


class EscalationEndpoints:
    """Endpoints that read snapshots. Long analyses run in a thread."""

    def __init__(self, snapshots: SnapshotReader) -> None:
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                f"{PATH}/simulation",
                "Simulate an incident: whom PagerDuty would page, on what, after how long",
                Json(SimulationModel),
                permission=FINDINGS_READ,
                takes=SimulationQuery,
                handler=self.simulation,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/simulation.svg",
                "Draw a simulated incident minute by minute",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=SimulationQuery,
                handler=self.simulation_picture,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/lint",
                "Lint escalation policies over time, as JSON, markdown, CSV or a page of HTML",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=LintQuery,
                handler=self.lint,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/response",
                "Show how incidents are answered: curves per level, expected times, advice",
                Json(AnalysisModel),
                permission=FINDINGS_READ,
                takes=ResponseQuery,
                handler=self.response,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/ladder.svg",
                "Draw a policy's curves of unanswered pages, with each level's delay",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=LadderQuery,
                handler=self.ladder,
                statuses=NOT_FOUND,
            ),
        ]

    async def simulation(
        self, request: Request, principal: Principal, query: SimulationQuery
    ) -> SimulationModel:
        """GET /api/connections/{id}/escalation/simulation"""
        index, simulated = await self._simulate(request, principal, query)
        report = simulation_for(simulation_report(index, simulated), principal.persons)
        model = SimulationModel.model_validate(report)
        if query.lanes:
            model.lanes = {
                "window": list(simulation_window(simulated)),
                "time_zone": _zone(index.snapshot).key,
                "lanes": lanes_to_json(simulation_lanes(index, simulated)),
            }
        return model

    async def simulation_picture(
        self, request: Request, principal: Principal, query: SimulationQuery
    ) -> Response:
        """GET /api/connections/{id}/escalation/simulation.svg"""
        index, simulated = await self._simulate(request, principal, query)
        title = f"An incident on {index.services[simulated.service_id].name}, {simulated.urgency} urgency"
        lanes, window = simulation_lanes(index, simulated), simulation_window(simulated)
        return svg_response(lanes_figure("simulation", title, window, _zone(index.snapshot), lanes))

    async def lint(
        self, request: Request, principal: Principal, query: LintQuery
    ) -> AnalysisModel | Response:
        """GET /api/connections/{id}/escalation/lint"""
        snapshot = await self._snapshot(request, principal, query)
        result = await asyncio.to_thread(lint.analyse, snapshot, _seconds(query.now), query.days)
        result = lint_for(result, principal.persons)
        if query.format == "md":
            return Response(lint_markdown(result), media_type="text/markdown")
        if query.format == "csv":
            return Response(lint_csv(result), media_type="text/csv")
        if query.format == "html":
            return Response(policy_review_html(result, snapshot), media_type="text/html", headers=SVG_HEADERS)
        if not query.ladders:
            result = replace(result, metrics={name: result.metrics[name] for name in ("standards",)})
        return analysis_model(result)

    async def response(self, request: Request, principal: Principal, query: ResponseQuery) -> AnalysisModel:
        """GET /api/connections/{id}/escalation/response"""
        snapshot = await self._snapshot(request, principal, query)
        result = await asyncio.to_thread(response_analysis.analyse, snapshot, _seconds(query.now))
        if query.policy is not None:
            rows = [row for row in result.metrics["policies"] if row["policy_id"] == query.policy]
            result = replace(result, metrics={**result.metrics, "policies": rows})
        return analysis_model(result)

    async def ladder(self, request: Request, principal: Principal, query: LadderQuery) -> Response:
        """GET /api/connections/{id}/escalation/ladder.svg"""
        snapshot = await self._snapshot(request, principal, query)
        figure = await asyncio.to_thread(ladder_figure, snapshot, _seconds(query.now), query.policy)
        return svg_response(figure)

    async def _simulate(
        self, request: Request, principal: Principal, query: SimulationQuery
    ) -> tuple[OnCallIndex, Simulation]:
        index = OnCallIndex(await self._snapshot(request, principal, query))
        service_id = service_id_of(index.services, query.service)
        return index, simulate_with(index, service_id, _seconds(query.at), query.urgency)

    async def _snapshot(
        self, request: Request, principal: Principal, query: SnapshotQuery
    ) -> AccountSnapshot:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        return await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)


def ladder_figure(snapshot: AccountSnapshot, now: int, policy_id: str) -> Figure:
    """Draw a policy's curves of unanswered pages; `now` is in epoch seconds. Raises ResourceNotFound."""
    for answered in account_response(snapshot, now).policies:
        if answered.policy.id == policy_id:
            curves, markers = response_curves(answered)
            title = f"{answered.policy.name}: pages that are still unanswered"
            return steps_figure("ladder", title, "minutes", curves, markers)
    raise ResourceNotFound(f"the snapshot has no answered incident of a policy {policy_id!r}")


def analysis_model(result: AnalysisResult) -> AnalysisModel:
    return AnalysisModel.model_validate(result_document(result))


def _zone(snapshot: AccountSnapshot) -> ZoneInfo:
    return time_zone(snapshot.time_zone) or ZoneInfo("Etc/UTC")


def _seconds(moment: datetime | None) -> int:
    return int((datetime.now(UTC) if moment is None else to_utc(moment)).timestamp())
