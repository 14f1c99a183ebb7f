"""REST endpoints of post-incident reports: show one, and add to it."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_WRITE, ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.post_incident.document import report_document
from calmo_pagerduty.post_incident.html import report_html
from calmo_pagerduty.post_incident.markdown import report_markdown
from calmo_pagerduty.post_incident.model import PostIncidentReport
from calmo_pagerduty.post_incident.service import PostIncidentService
from ingress.api.endpoints import Endpoint, EndpointRow, Json
from ingress.api.finding import check_issue_id, require
from ingress.findings.digest_endpoints import PAGE_MEDIA, PageFormat, page_response
from ingress.post_incident.models import AdditionBody, AdditionModel, PostIncidentQuery

PATH = "/api/issues/{id}/post-incident"
NOT_FOUND = ((404, "there is no such issue"),)
PAGES: Mapping[PageFormat, Callable[[PostIncidentReport], str]] = {
    PageFormat.MARKDOWN: report_markdown,
    PageFormat.HTML: report_html,
}


class PostIncidentEndpoints:
    """Errors: `ingress.api.errors`."""

    def __init__(self, reports: PostIncidentService) -> None:
        self._reports = reports

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                PATH,
                "Show an incident's post-incident report as JSON, Markdown or HTML",
                PAGE_MEDIA,
                permission=ISSUES_READ,
                takes=PostIncidentQuery,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                f"{PATH}/additions",
                "Add to an incident's post-incident report",
                Json(AdditionModel, status=201),
                permission=FINDINGS_WRITE,
                takes=AdditionBody,
                handler=self.add,
                statuses=(*NOT_FOUND, (409, "the report has as many additions as it may have")),
            ),
        ]

    async def show(self, request: Request, principal: Principal, query: PostIncidentQuery) -> Response:
        """GET /api/issues/{id}/post-incident. Raises ResourceNotFound, StoreUnavailable."""
        report = await self.report(request, principal)
        return page_response(query.format, report_document(report), lambda: PAGES[query.format](report))

    async def report(self, request: Request, principal: Principal) -> PostIncidentReport:
        """Return the report of the issue in the path. Raises ResourceNotFound, StoreUnavailable."""
        issue_id = request.path_params["id"]
        check_issue_id(issue_id)
        return require(await self._reports.make(principal, issue_id), "issue", issue_id)

    async def add(self, request: Request, principal: Principal, body: AdditionBody) -> AdditionModel:
        """POST /api/issues/{id}/post-incident/additions. Raises ResourceNotFound, TooManyAdditions."""
        issue_id = request.path_params["id"]
        check_issue_id(issue_id)
        added = await self._reports.add(principal, issue_id, body.part, body.text)
        return AdditionModel.from_row(require(added, "issue", issue_id))
