"""REST endpoints for calendars of absences. They are about persons: whoever may not see one finds none.

Errors: `ingress.api.errors`.
"""

from zoneinfo import ZoneInfo

from starlette.requests import Request

from calmo_pagerduty.absences.parsing import format_of
from calmo_pagerduty.absences.service import AbsenceService
from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE, PERSONS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.coverage.analysis import account_zone
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.absences.models import (
    AbsenceCalendarModel,
    AbsenceListModel,
    CalendarImport,
    RemovedCalendarModel,
    calendar_model,
)
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted, ResourceNotFound
from ingress.api.finding import require_connection

PATH = "/api/connections/{id}/absences"
NOT_FOUND = ((404, "there is no such connection, snapshot or person; the message says which"),)
REFUSED = (*NOT_FOUND, (409, "the connection has as many calendars as it may"))


class AbsenceEndpoints:
    """A key with `persons:read` imports everybody's calendar, another one its own person's only."""

    def __init__(self, database: Database, absences: AbsenceService, snapshots: SnapshotReader) -> None:
        self._database = database
        self._absences = absences
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET", PATH, "List when people are away, by imported calendars",
                Json(AbsenceListModel), permission=FINDINGS_READ, takes=NoInput, handler=self.list_all,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "PUT", f"{PATH}/{{user}}", "Import a person's calendar, in place of an earlier one",
                Json(AbsenceCalendarModel), permission=FINDINGS_WRITE, takes=CalendarImport,
                handler=self.replace, statuses=REFUSED,
            ),
            Endpoint(
                "DELETE", f"{PATH}/{{user}}", "Remove a person's calendar: nothing of it is kept",
                Json(RemovedCalendarModel), permission=FINDINGS_WRITE, takes=NoInput, handler=self.remove,
                statuses=NOT_FOUND,
            ),
        ]  # fmt: skip

    async def list_all(self, request: Request, principal: Principal, _nothing: NoInput) -> AbsenceListModel:
        """GET /api/connections/{id}/absences"""
        connection = await self._connection(request, principal.visibility)
        calendars = await self._absences.list_calendars(principal, connection.id)
        seen = [calendar for calendar in calendars if principal.persons.admits([calendar.user_id])]
        return AbsenceListModel(
            calendars=[calendar_model(calendar) for calendar in seen],
            hidden_calendars=len(calendars) - len(seen),
        )

    async def replace(
        self, request: Request, principal: Principal, body: CalendarImport
    ) -> AbsenceCalendarModel:
        """PUT /api/connections/{id}/absences/{user}. Raises CalendarRefused, TooManyCalendars."""
        connection, user_id = await self._person(request, principal)
        zone = await self._zone(principal.visibility, connection.id, user_id)
        calendar = await self._absences.import_calendar(
            principal,
            connection,
            user_id,
            body.text,
            body.format or format_of(body.text),
            zone,
            body.all_events,
        )
        return calendar_model(calendar)

    async def remove(self, request: Request, principal: Principal, _nothing: NoInput) -> RemovedCalendarModel:
        """DELETE /api/connections/{id}/absences/{user}"""
        connection, user_id = await self._person(request, principal)
        removed = await self._absences.remove(principal, connection, user_id)
        return RemovedCalendarModel(user=user_id, removed=removed)

    async def _person(self, request: Request, principal: Principal) -> tuple[Connection, str]:
        """Return the connection and the person of the path. Raises ResourceNotFound, NotPermitted."""
        connection = await self._connection(request, principal.visibility)
        user_id = request.path_params["user"]
        if not principal.persons.admits([user_id]):
            raise NotPermitted(f"this key changes its own person's calendar only: others take {PERSONS_READ}")
        return connection, user_id

    async def _zone(self, visibility: Visibility, connection_id: str, user_id: str) -> ZoneInfo:
        """Return a person's zone. Raises ResourceNotFound, SnapshotNotFound, SnapshotUnreadable."""
        snapshot = await self._snapshots.get(visibility, connection_id)
        user = next((user for user in snapshot.users if user.id == user_id), None)
        if user is None:
            raise ResourceNotFound(
                f"the snapshot has no person {user_id[:40]!r}: give the id at PagerDuty; if the person is"
                " new, take a new snapshot"
            )
        return time_zone(user.time_zone) or account_zone(snapshot)

    async def _connection(self, request: Request, visibility: Visibility) -> Connection:
        connection_id = request.path_params["id"]
        return await self._database.read(
            lambda t: require_connection(t, visibility, connection_id), visibility
        )
