"""REST endpoints that ask "what if", optimise schedules, and keep scenarios. They read stored snapshots.

Nothing here changes PagerDuty: the tool `apply_schedule_draft` applies a draft, and needs an approval.
Errors: `ingress.api.errors`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.plots.figures import pairs_figure
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.scheduling.service import Reader, Rerun, ScenarioService
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.finding import require, require_connection
from ingress.api.pictures import svg_response
from ingress.scheduling.models import (
    CompareQuery,
    OptimisationModel,
    OptimiseBody,
    RerunModel,
    ScenarioComparisonModel,
    ScenarioListModel,
    ScenarioModel,
    ScenarioTotals,
    WhatIfBody,
    WhatIfModel,
    scenario_model,
)

PATH = "/api/connections/{id}"
NOT_FOUND = ((404, "there is no such connection or scenario, or no snapshot yet; the message says which"),)
REFUSED = (
    *NOT_FOUND,
    (409, "our rendering of a schedule differs from PagerDuty's; the message says where"),
)


class ScenarioEndpoints:
    """Endpoints for what-if questions. They compute in threads, one at a time."""

    def __init__(self, database: Database, scenarios: ScenarioService) -> None:
        self._database = database
        self._scenarios = scenarios

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST", f"{PATH}/what-if", "Ask what a change would do: gaps, hours, nights, pages, in names",
                Json(WhatIfModel), permission=FINDINGS_READ, takes=WhatIfBody, handler=self.what_if,
                statuses=REFUSED,
            ),
            Endpoint(
                "POST", f"{PATH}/what-if/optimise",
                "Find the best one and two swaps and the optimum for a schedule, with drafts",
                Json(OptimisationModel), permission=FINDINGS_READ, takes=OptimiseBody, handler=self.optimise,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST", f"{PATH}/what-if/hours.svg", "Draw each person's hours before and after a scenario",
                Media("image/svg+xml"), permission=FINDINGS_READ, takes=WhatIfBody,
                handler=self.what_if_picture, statuses=REFUSED,
            ),
            Endpoint(
                "POST", f"{PATH}/what-if/optimise/loads.svg",
                "Draw each person's load now and in the best roster, with the fair share",
                Media("image/svg+xml"), permission=FINDINGS_READ, takes=OptimiseBody,
                handler=self.optimum_picture, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/scenarios", "List saved scenarios",
                Json(ScenarioListModel), permission=FINDINGS_READ, takes=NoInput, handler=self.list,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST", f"{PATH}/scenarios", "Save a scenario under its name, with its answer's hash",
                Json(RerunModel, status=201), permission=FINDINGS_WRITE, takes=WhatIfBody, handler=self.save,
                statuses=REFUSED,
            ),
            Endpoint(
                "GET", f"{PATH}/scenarios/comparison", "Compare saved scenarios side by side",
                Json(ScenarioComparisonModel), permission=FINDINGS_READ, takes=CompareQuery,
                handler=self.compare, statuses=REFUSED,
            ),
            Endpoint(
                "GET", f"{PATH}/scenarios/{{scenario_id}}",
                "Compute a saved scenario again: the same snapshot and time give the same bytes",
                Json(RerunModel), permission=FINDINGS_READ, takes=NoInput, handler=self.show,
                statuses=REFUSED,
            ),
            Endpoint(
                "GET", f"{PATH}/scenarios/{{scenario_id}}/hours.svg",
                "Draw each person's hours before and after a saved scenario",
                Media("image/svg+xml"), permission=FINDINGS_READ, takes=NoInput, handler=self.picture,
                statuses=REFUSED,
            ),
            Endpoint(
                "DELETE", f"{PATH}/scenarios/{{scenario_id}}", "Delete a saved scenario",
                Json(ScenarioModel), permission=FINDINGS_WRITE, takes=NoInput, handler=self.delete,
                statuses=NOT_FOUND,
            ),
        ]  # fmt: skip

    async def what_if(self, request: Request, principal: Principal, body: WhatIfBody) -> WhatIfModel:
        """POST /api/connections/{id}/what-if"""
        document = await self._scenarios.what_if(
            reader_of(principal), request.path_params["id"], body.scenario, _now(body.now), _as_of(body.as_of)
        )
        return WhatIfModel.model_validate(document)

    async def optimise(self, request: Request, principal: Principal, body: OptimiseBody) -> OptimisationModel:
        """POST /api/connections/{id}/what-if/optimise"""
        document = await self._scenarios.optimise(
            reader_of(principal), request.path_params["id"], body.request, _now(body.now), _as_of(body.as_of)
        )
        return OptimisationModel.model_validate(document)

    async def what_if_picture(self, request: Request, principal: Principal, body: WhatIfBody) -> Response:
        """POST /api/connections/{id}/what-if/hours.svg"""
        rows = await self._scenarios.what_if_hours(
            reader_of(principal), request.path_params["id"], body.scenario, _now(body.now), _as_of(body.as_of)
        )
        return svg_response(_hours_figure(body.scenario.name, rows))

    async def optimum_picture(self, request: Request, principal: Principal, body: OptimiseBody) -> Response:
        """POST /api/connections/{id}/what-if/optimise/loads.svg"""
        name, rows = await self._scenarios.optimised_loads(
            reader_of(principal), request.path_params["id"], body.request, _now(body.now), _as_of(body.as_of)
        )
        title = f"Load with history, now and in the best roster: {name}"
        return svg_response(pairs_figure("optimum", title, "weighted h", rows))

    async def list(self, request: Request, principal: Principal, _nothing: NoInput) -> ScenarioListModel:
        """GET /api/connections/{id}/scenarios"""
        connection_id = await self._connection(request, principal)
        reader = reader_of(principal)
        saved = await self._scenarios.list_saved(reader, connection_id)
        return ScenarioListModel(scenarios=[scenario_model(scenario) for scenario in saved])

    async def save(self, request: Request, principal: Principal, body: WhatIfBody) -> RerunModel:
        """POST /api/connections/{id}/scenarios"""
        rerun = await self._scenarios.save(
            reader_of(principal), request.path_params["id"], body.scenario, _now(body.now), _as_of(body.as_of)
        )
        return rerun_model(rerun)

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> RerunModel:
        """GET /api/connections/{id}/scenarios/{scenario_id}"""
        return rerun_model(await self._rerun(request, principal, request.path_params["scenario_id"]))

    async def picture(self, request: Request, principal: Principal, _nothing: NoInput) -> Response:
        """GET /api/connections/{id}/scenarios/{scenario_id}/hours.svg"""
        rerun = await self._rerun(request, principal, request.path_params["scenario_id"])
        return svg_response(_hours_figure(rerun.saved.scenario.name, rerun.rows))

    async def compare(
        self, request: Request, principal: Principal, query: CompareQuery
    ) -> ScenarioComparisonModel:
        """GET /api/connections/{id}/scenarios/comparison"""
        reruns = [await self._rerun(request, principal, scenario_id) for scenario_id in query.id]
        return ScenarioComparisonModel(scenarios=[totals_model(rerun) for rerun in reruns])

    async def delete(self, request: Request, principal: Principal, _nothing: NoInput) -> ScenarioModel:
        """DELETE /api/connections/{id}/scenarios/{scenario_id}"""
        connection_id = await self._connection(request, principal)
        scenario_id = request.path_params["scenario_id"]
        reader = reader_of(principal)
        saved = await self._scenarios.list_saved(reader, connection_id)
        found = next((scenario for scenario in saved if scenario.id == scenario_id), None)
        scenario = require(found, "scenario", scenario_id)
        await self._scenarios.delete(reader, connection_id, scenario.id)
        return scenario_model(scenario)

    async def _rerun(self, request: Request, principal: Principal, scenario_id: str) -> Rerun:
        connection_id = await self._connection(request, principal)
        found = await self._scenarios.rerun(reader_of(principal), connection_id, scenario_id)
        return require(found, "scenario", scenario_id)

    async def _connection(self, request: Request, principal: Principal) -> str:
        """Return the id of the path's connection. Raises ResourceNotFound."""
        connection_id: str = request.path_params["id"]
        await self._database.read(
            lambda tx: require_connection(tx, principal.visibility, connection_id), principal.visibility
        )
        return connection_id


def _hours_figure(name: str, rows: Sequence[PairRow]) -> Figure:
    return pairs_figure("what-if", f"On-call hours before and after: {name}", "h", rows)


def reader_of(principal: Principal) -> Reader:
    return Reader(principal.visibility, principal.persons, principal.who)


def rerun_model(rerun: Rerun) -> RerunModel:
    return RerunModel(
        scenario=scenario_model(rerun.saved),
        is_same=rerun.is_same,
        result=WhatIfModel.model_validate(rerun.document),
    )


def totals_model(rerun: Rerun) -> ScenarioTotals:
    return ScenarioTotals(
        id=rerun.saved.id,
        name=rerun.saved.scenario.name,
        is_same=rerun.is_same,
        totals=rerun.document["totals"],
        people_changed=len(rerun.document["people"]),
        changed_hours=round(sum(row["changed_hours"] for row in rerun.document["schedules"]), 2),
    )


def _now(moment: datetime | None) -> datetime:
    # A whole second, as scenarios count: a rerun then asks of the same moment.
    return (datetime.now(UTC) if moment is None else to_utc(moment)).replace(microsecond=0)


def _as_of(moment: datetime | None) -> datetime | None:
    return None if moment is None else to_utc(moment)
