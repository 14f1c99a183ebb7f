"""The REST endpoint of an account's page: what all on-call analyses say of it."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.oncall.account_report import AccountReport, report_document
from calmo_pagerduty.oncall.account_report_html import account_html
from calmo_pagerduty.oncall.account_report_markdown import account_markdown
from calmo_pagerduty.oncall.account_report_service import AccountReportService
from ingress.api.endpoints import Endpoint, EndpointRow
from ingress.api.finding import require
from ingress.api.models import Model
from ingress.findings.digest_endpoints import PAGE_MEDIA, PageFormat, page_response

NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
PAGES: Mapping[PageFormat, Callable[[AccountReport], str]] = {
    PageFormat.MARKDOWN: account_markdown,
    PageFormat.HTML: account_html,
}


class ReportQuery(Model):
    format: PageFormat = PageFormat.JSON


class AccountReportEndpoints:
    """Errors: `ingress.api.errors`."""

    def __init__(self, reports: AccountReportService) -> None:
        self._reports = reports

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/connections/{id}/oncall/report",
                "Show what all on-call analyses say, as JSON, Markdown or HTML with plots",
                PAGE_MEDIA,
                permission=FINDINGS_READ,
                takes=ReportQuery,
                handler=self.show,
                statuses=NOT_FOUND,
            )
        ]

    async def show(self, request: Request, principal: Principal, query: ReportQuery) -> Response:
        """GET /api/connections/{id}/oncall/report. Raises ResourceNotFound, StoreUnavailable."""
        connection_id = request.path_params["id"]
        made = await self._reports.make(
            principal, connection_id, with_figures=query.format is PageFormat.HTML
        )
        report = require(made, "connection", connection_id)
        return page_response(query.format, report_document(report), lambda: PAGES[query.format](report))
