"""REST endpoints of a connection's workload settings: pay rules, working time, holidays, rough nights."""

from starlette.requests import Request

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, CONNECTIONS_WRITE, PERSONS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.workload.queries import StoredSettings
from calmo_pagerduty.workload.settings_service import WorkloadSettingsService
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require_connection
from ingress.api.models import NoBody
from ingress.workload.models import DraftBody, SettingsModel

PATH = "/api/connections/{id}/workload/settings"
NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
REFUSED = ((409, "there is no draft, or it was published meanwhile"),)


class WorkloadSettingsEndpoints:
    """Whoever may change a connection may draft; to publish takes a manager's key (`persons:read`)."""

    def __init__(self, database: Database, settings: WorkloadSettingsService) -> None:
        self._database = database
        self._settings = settings

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                PATH,
                "Show the settings of workload reports: the draft, and what is in force",
                Json(SettingsModel),
                permission=CONNECTIONS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "PUT",
                f"{PATH}/draft",
                "Draft settings of workload reports, in JSON or TOML",
                Json(SettingsModel),
                permission=CONNECTIONS_WRITE,
                takes=DraftBody,
                handler=self.draft,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                f"{PATH}/publish",
                "Put the drafted settings in force; needs persons:read as well",
                Json(SettingsModel),
                permission=CONNECTIONS_WRITE,
                takes=NoBody,
                handler=self.publish,
                statuses=NOT_FOUND + REFUSED,
            ),
        ]

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> SettingsModel:
        """GET /api/connections/{id}/workload/settings"""
        connection = await self._connection(request, principal)
        return _model(await self._settings.get(principal.visibility, connection.id))

    async def draft(self, request: Request, principal: Principal, body: DraftBody) -> SettingsModel:
        """PUT /api/connections/{id}/workload/settings/draft. Raises InvalidSettings."""
        connection = await self._connection(request, principal)
        scope = str(connection.scope)
        return _model(await self._settings.save_draft(principal, connection.id, scope, body.document))

    async def publish(self, request: Request, principal: Principal, _nothing: NoBody) -> SettingsModel:
        """POST /api/connections/{id}/workload/settings/publish. Raises NotPublished, NotPermitted."""
        connection = await self._connection(request, principal)
        if PERSONS_READ not in principal.permissions:
            raise NotPermitted(f"only a manager's key publishes: it needs {PERSONS_READ}")
        return _model(await self._settings.publish(principal, connection.id, str(connection.scope)))

    async def _connection(self, request: Request, principal: Principal) -> Connection:
        connection_id = request.path_params["id"]
        return await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )


def _model(stored: StoredSettings) -> SettingsModel:
    return SettingsModel.from_row(stored)
