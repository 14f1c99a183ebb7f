"""REST endpoint that plays an incident again from its stored deliveries."""

from starlette.requests import Request

from calmo_pagerduty.access.permissions import DELIVERIES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.incident_replay_service import IncidentReplayer
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.finding import require_incident, require_issue
from ingress.incidents.replay_models import IncidentReplayModel, replay_model


class ReplayEndpoints:
    """Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, replayer: IncidentReplayer) -> None:
        self._database = database
        self._replayer = replayer

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/issues/{id}/replay",
                "Play an incident again from its deliveries, with each decision and its reason",
                Json(IncidentReplayModel),
                permission=DELIVERIES_READ,
                takes=NoInput,
                handler=self.show,
                statuses=(
                    (404, "there is no such issue"),
                    (409, "a finding opened the issue, so it has no deliveries"),
                ),
            )
        ]

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> IncidentReplayModel:
        """GET /api/issues/{id}/replay. Raises ResourceNotFound, NotAnIncident, StoreUnavailable."""
        issue_id = request.path_params["id"]

        def read(tx: Transaction) -> IncidentReplayModel:
            issue = require_issue(tx, principal.visibility, issue_id)
            require_incident(issue)
            replay = self._replayer.replay(tx, principal.visibility, issue)
            return replay_model(issue_id, issue.ref.incident_id, replay)

        return await self._database.read(read, principal.visibility)
