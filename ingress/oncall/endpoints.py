"""REST endpoints that start the on-call analyses and show their runs and snapshots.

Errors: `ingress.api.errors`.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.oncall import queries
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.finding import require, require_connection
from ingress.api.key_limits import LiveResponse
from ingress.oncall.models import (
    FollowQuery,
    OnCallRunListModel,
    OnCallRunModel,
    RunBody,
    SnapshotListModel,
    StartedRunModel,
    oncall_run_model,
    snapshot_model,
)
from ingress.oncall.run_stream import RunStream
from ingress.reconciliation import schedules
from workflows.oncall_analysis import OnCallStart

KEEP_ALIVE_SECONDS = 15
MAX_RUNS = 50
MAX_SNAPSHOTS = 200
ON_DEMAND = "on demand"
OF_THE_PAST = "a snapshot of the past, on demand"
NO_CONNECTION = ((404, "there is no such connection, or this API key may not see it"),)
NOT_FOUND = ((404, "there is no such run, or this API key may not see it"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
PATH = "/api/connections/{id}/oncall"


class OnCallEndpoints:
    """Endpoints of runs and snapshots. Setting `closing` ends the live streams."""

    def __init__(
        self, database: Database, snapshots: SnapshotReader, temporal: TemporalHandle, task_queue: str
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._temporal = temporal
        self._task_queue = task_queue
        self.closing = asyncio.Event()

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST",
                f"{PATH}/runs",
                "Take a snapshot of the account and run the on-call analyses on it",
                Json(StartedRunModel, status=202),
                permission=FINDINGS_WRITE,
                takes=RunBody,
                handler=self.start,
                statuses=NO_CONNECTION + UNAVAILABLE,
            ),
            Endpoint(
                "GET",
                f"{PATH}/runs",
                "List the runs of a connection's on-call analyses",
                Json(OnCallRunListModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.runs,
                statuses=NO_CONNECTION,
            ),
            Endpoint(
                "GET",
                "/api/oncall/runs/{id}",
                "Show a run of the on-call analyses: how far it is, or how it ended",
                Json(OnCallRunModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/progress",
                "Stream the progress of a run as server-sent events",
                Media("text/event-stream"),
                permission=FINDINGS_READ,
                takes=FollowQuery,
                handler=self.follow,
                statuses=NO_CONNECTION,
            ),
            Endpoint(
                "GET",
                f"{PATH}/snapshots",
                "List a connection's stored snapshots",
                Json(SnapshotListModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.snapshots,
                statuses=NO_CONNECTION,
            ),
        ]

    async def start(self, request: Request, principal: Principal, body: RunBody) -> StartedRunModel:
        """POST /api/connections/{id}/oncall/runs. Raises ResourceNotFound, TemporalUnavailable."""
        connection = await self._connection(request, principal)
        start = OnCallStart(
            connection_id=connection.id,
            reason=ON_DEMAND if body.as_of is None else OF_THE_PAST,
            as_of=body.as_of,
            now=body.now,
            is_fresh=body.fresh,
        )
        handle = await schedules.start_oncall(
            self._temporal.client, self._task_queue, str(connection.scope), start
        )
        run = str(handle.result_run_id)
        return StartedRunModel(
            connection=connection.id,
            run=run,
            workflow_id=handle.id,
            url=f"/api/oncall/runs/{run}",
            progress_url=f"{PATH.format(id=connection.id)}/progress?run={run}",
        )

    async def runs(self, request: Request, principal: Principal, _query: NoInput) -> OnCallRunListModel:
        """GET /api/connections/{id}/oncall/runs"""
        connection = await self._connection(request, principal)
        runs = await self._database.read(
            lambda t: queries.list_runs(t, principal.visibility, connection.id, MAX_RUNS),
            principal.visibility,
        )
        return OnCallRunListModel(connection=connection.id, runs=[oncall_run_model(run) for run in runs])

    async def show(self, request: Request, principal: Principal, _query: NoInput) -> OnCallRunModel:
        """GET /api/oncall/runs/{id}"""
        run_id = request.path_params["id"]
        run = await self._database.read(
            lambda t: queries.get_run(t, principal.visibility, run_id), principal.visibility
        )
        return oncall_run_model(require(run, "run", run_id))

    async def follow(self, request: Request, principal: Principal, query: FollowQuery) -> Response:
        """GET /api/connections/{id}/oncall/progress. A run that hasn't begun yet is waited for."""
        connection = await self._connection(request, principal)
        stream = RunStream(self._database, principal, connection.id, query.run, self.closing)
        return LiveResponse(principal.key_id, stream.events(), KEEP_ALIVE_SECONDS)

    async def snapshots(self, request: Request, principal: Principal, _query: NoInput) -> SnapshotListModel:
        """GET /api/connections/{id}/oncall/snapshots"""
        connection = await self._connection(request, principal)
        stored = await self._snapshots.list_snapshots(principal.visibility, connection.id, MAX_SNAPSHOTS)
        return SnapshotListModel(
            connection=connection.id, snapshots=[snapshot_model(snapshot) for snapshot in stored]
        )

    async def _connection(self, request: Request, principal: Principal) -> Connection:
        """Raises ResourceNotFound."""
        connection_id = request.path_params["id"]
        return await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )
