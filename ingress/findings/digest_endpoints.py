"""REST endpoints for the weekly digest: read it, make it now, and say when it is made."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.access.permissions import CONNECTIONS_WRITE, FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.queries import AnalysedConnection
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.oncall.digest import Digest
from calmo_pagerduty.oncall.digest_codec import digest_document
from calmo_pagerduty.oncall.digest_html import digest_html
from calmo_pagerduty.oncall.digest_markdown import digest_markdown
from calmo_pagerduty.oncall.digest_service import DigestService
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.errors import ResourceNotFound
from ingress.api.finding import require_connection
from ingress.api.models import Model, NoBody
from ingress.reconciliation import digest_schedules, schedules
from ingress.reconciliation.digest_schedules import DigestSchedule, DigestTime

NOT_FOUND = ((404, "there is no such connection, or there is no digest yet; the message says which"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
#: A browser that opens the page runs no script in it and loads nothing.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


class PageFormat(StrEnum):
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


MEDIA_TYPES: Mapping[PageFormat, str] = {
    PageFormat.JSON: "application/json",
    PageFormat.MARKDOWN: "text/markdown; charset=utf-8",
    PageFormat.HTML: "text/html; charset=utf-8",
}
PAGES: Mapping[PageFormat, Callable[[Digest], str]] = {
    PageFormat.MARKDOWN: digest_markdown,
    PageFormat.HTML: digest_html,
}
#: The answers of endpoints that give a page in each format.
PAGE_MEDIA = Media("application/json", also=("text/markdown", "text/html"))


class DigestQuery(Model):
    """`preview`: the digest as it would be made now, which is not kept."""

    format: PageFormat = PageFormat.JSON
    preview: bool = False


class DigestRunModel(Model):
    connection: str
    workflow_id: str


Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


class DigestTimeModel(Model):
    """When the digest is made each week, in local time of the zone (IANA's name)."""

    weekday: Weekday = "monday"
    hour: Annotated[int, Field(ge=0, le=23)] = 7
    minute: Annotated[int, Field(ge=0, le=59)] = 0
    time_zone: str = "Etc/UTC"

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        zone = time_zone(name)
        if zone is None:
            raise ValueError("no such time zone: give IANA's name, such as Europe/London")
        return zone.key


class DigestScheduleModel(Model):
    """The schedule in Temporal, which is made after the first analysis.

    `time` is null if there is none yet, or if somebody gave it another form in Temporal.
    """

    connection: str
    exists: bool
    time: DigestTimeModel | None
    is_paused: bool
    next_times: list[datetime]


class DigestEndpoints:
    """Endpoints for weekly digests. Errors: `ingress.api.errors`."""

    def __init__(
        self, database: Database, digests: DigestService, temporal: TemporalHandle, task_queue: str
    ) -> None:
        self._database = database
        self._digests = digests
        self._temporal = temporal
        self._task_queue = task_queue

    def endpoints(self) -> list[EndpointRow]:
        path = "/api/connections/{id}/digest"
        return [
            Endpoint(
                "GET",
                path,
                "Show the weekly digest as JSON, Markdown or HTML",
                PAGE_MEDIA,
                permission=FINDINGS_READ,
                takes=DigestQuery,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                path,
                "Make a digest now",
                Json(DigestRunModel, status=202),
                permission=CONNECTIONS_WRITE,
                takes=NoBody,
                handler=self.make,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
            Endpoint(
                "GET",
                f"{path}/schedule",
                "Show when the digest is made",
                Json(DigestScheduleModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.show_schedule,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
            Endpoint(
                "PUT",
                f"{path}/schedule",
                "Say when the digest is made",
                Json(DigestScheduleModel),
                permission=CONNECTIONS_WRITE,
                takes=DigestTimeModel,
                handler=self.reschedule,
                statuses=NOT_FOUND + UNAVAILABLE,
            ),
        ]

    async def show(self, request: Request, principal: Principal, query: DigestQuery) -> Response:
        """GET /api/connections/{id}/digest. Raises ResourceNotFound, StoreUnavailable."""
        connection = await self._get_connection(principal, request)
        if query.preview:
            digest = await self._digests.preview(principal, connection.id, datetime.now(UTC))
        else:
            digest = await self._digests.get(principal, connection.id)
        if digest is None:
            raise ResourceNotFound(
                "there is no digest yet: POST makes one, ?preview=true shows what it would say"
            )
        return page_response(query.format, digest_document(digest), lambda: PAGES[query.format](digest))

    async def make(self, request: Request, principal: Principal, _body: NoBody) -> DigestRunModel:
        """POST /api/connections/{id}/digest. Raises ResourceNotFound, TemporalUnavailable."""
        connection = await self._get_connection(principal, request)
        workflow_id = await schedules.start_digest(
            self._temporal.client, self._task_queue, str(connection.scope), connection.id
        )
        return DigestRunModel(connection=connection.id, workflow_id=workflow_id)

    async def show_schedule(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> DigestScheduleModel:
        """GET /api/connections/{id}/digest/schedule. Raises ResourceNotFound, TemporalUnavailable."""
        connection = await self._get_connection(principal, request)
        return await self._schedule(connection.id)

    async def reschedule(
        self, request: Request, principal: Principal, body: DigestTimeModel
    ) -> DigestScheduleModel:
        """PUT /api/connections/{id}/digest/schedule. Raises ResourceNotFound, TemporalUnavailable."""
        connection = await self._get_connection(principal, request)
        client, time = self._temporal.client, DigestTime(**body.model_dump())
        if not await digest_schedules.update_schedule(client, connection.id, time):
            scheduled = AnalysedConnection(connection.id, str(connection.scope), time.time_zone)
            await schedules.upsert_schedules(client, self._task_queue, scheduled, schedules.DIGEST)
            await digest_schedules.update_schedule(client, connection.id, time)
        return await self._schedule(connection.id)

    async def _schedule(self, connection_id: str) -> DigestScheduleModel:
        found = await digest_schedules.get_schedule(self._temporal.client, connection_id)
        return _schedule_model(connection_id, found)

    async def _get_connection(self, principal: Principal, request: Request) -> Connection:
        connection_id = request.path_params["id"]
        return await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )


def page_response(page_format: PageFormat, document: dict[str, Any], page: Callable[[], str]) -> Response:
    """Return a document as JSON, or as the page that is made of it."""
    if page_format is PageFormat.JSON:
        return JSONResponse(document, headers=PAGE_HEADERS)
    return Response(page(), 200, PAGE_HEADERS, MEDIA_TYPES[page_format])


def _schedule_model(connection_id: str, schedule: DigestSchedule | None) -> DigestScheduleModel:
    if schedule is None:
        return DigestScheduleModel(
            connection=connection_id, exists=False, time=None, is_paused=False, next_times=[]
        )
    time = schedule.time
    return DigestScheduleModel(
        connection=connection_id,
        exists=True,
        time=None if time is None else DigestTimeModel.from_row(time),
        is_paused=schedule.is_paused,
        next_times=list(schedule.next_times),
    )
