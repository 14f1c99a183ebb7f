"""REST endpoints that make reports of an account."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.performance.report import DAY, Scope
from calmo_pagerduty.reports.model import MadeReport, ReportKind
from calmo_pagerduty.reports.rendering import (
    ReportFormat,
    report_csv,
    report_document,
    report_html,
    report_markdown,
)
from calmo_pagerduty.reports.service import Reader, ReportOrder, ReportService
from ingress.api.endpoints import Endpoint, EndpointRow, Media
from ingress.api.errors import ResourceNotFound
from ingress.api.finding import require
from ingress.escalation.endpoints import NOT_FOUND
from ingress.findings.digest_endpoints import PAGE_HEADERS
from ingress.reports.models import ReportDocumentQuery, ReportQuery

PATH = "/api/connections/{id}/report"
REPORT_MEDIA = Media("application/json", also=("text/markdown", "text/html", "text/csv"))


class ReportEndpoints:
    """Reports name services, teams and policies; findings about persons as the key may see them."""

    def __init__(self, reports: ReportService) -> None:
        self._reports = reports

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                PATH,
                "Make a report: weekly-operations, service-review, on-call-review or response-effectiveness",
                REPORT_MEDIA,
                permission=FINDINGS_READ,
                takes=ReportDocumentQuery,
                handler=self.make,
                statuses=NOT_FOUND,
            ),
        ]

    async def make(self, request: Request, principal: Principal, query: ReportDocumentQuery) -> Response:
        """GET /api/connections/{id}/report. Raises ResourceNotFound, SnapshotNotFound, InvalidPeriod."""
        connection_id = request.path_params["id"]
        reader = Reader(principal.who, principal.visibility, principal.persons)
        if query.kept is not None:
            kept = require(
                await self._reports.get_kept(reader, connection_id, query.kept), "report", query.kept
            )
            return report_answer(kept, query.format, query.table)
        made = await self._reports.make(reader, connection_id, order_of(query.kind, query))
        return report_answer(require(made, "connection", connection_id), query.format, query.table)


def order_of(kind: ReportKind, query: ReportQuery) -> ReportOrder:
    """Return what is asked for."""
    until = None if query.until is None else int(query.until.timestamp())
    since = None if query.since is None else int(query.since.timestamp())
    if since is None and query.days is not None:
        return ReportOrder(kind, None, until, query.by, _scope(query), query.days * DAY)
    return ReportOrder(kind, since, until, query.by, _scope(query))


def report_answer(made: MadeReport, format_: ReportFormat, table: int = 0) -> Response:
    """Return a report in a format. Raises ResourceNotFound for a table that it does not have."""
    if format_ is ReportFormat.JSON:
        return JSONResponse(report_document(made), headers=PAGE_HEADERS)
    if format_ is ReportFormat.MARKDOWN:
        return Response(report_markdown(made), media_type="text/markdown", headers=PAGE_HEADERS)
    if format_ is ReportFormat.HTML:
        return Response(report_html(made), media_type="text/html", headers=PAGE_HEADERS)
    try:
        text = report_csv(made, table)
    except IndexError:
        raise ResourceNotFound(f"table: this report has no table {table}") from None
    return Response(text, media_type="text/csv", headers=PAGE_HEADERS)


def _scope(query: ReportQuery) -> Scope:
    def only(id: str | None) -> tuple[str, ...]:
        return () if id is None else (id,)

    return Scope(query.urgency, only(query.service), only(query.team), only(query.policy))
