"""REST endpoint that plays an incident again from its stored deliveries."""

from datetime import timedelta

from starlette.requests import Request

from calmo_pagerduty.access.permissions import DELIVERIES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.incident_replay import replay_incident
from calmo_pagerduty.incidents.incident_replay_queries import list_stored_events
from calmo_pagerduty.incidents.lifecycle import LifecyclePolicy
from calmo_pagerduty.kernel.scopes import EVERYTHING
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.finding import require_incident, require_issue
from ingress.incidents.replay_models import IncidentReplayModel, replay_model


class ReplayEndpoints:
    """Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, complete_after: timedelta, gathers_context: bool) -> None:
        self._database = database
        self._complete_after = complete_after
        self._gathers_context = gathers_context

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
            # Whoever sees the issue learns its severities, and nothing else of the connection.
            connection = connections.get_connection(tx, EVERYTHING, issue.ref.connection_id)
            events, missing = list_stored_events(tx, principal.visibility, issue)
            policy = LifecyclePolicy(
                complete_after=self._complete_after,
                severities=connection.severities if connection else {},
                gathers_context=self._gathers_context,
            )
            replay = replay_incident(events, policy, missing)
            return replay_model(issue_id, issue.ref.incident_id, replay)

        return await self._database.read(read, principal.visibility)
