"""REST endpoints for findings: the inbox, a finding with its history, and decisions."""

from starlette.requests import Request

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import queries
from calmo_pagerduty.findings.decision_service import FindingDecisionService
from calmo_pagerduty.findings.lifecycle import Trigger
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import ResourceNotFound
from ingress.api.finding import require
from ingress.api.models import NoBody
from ingress.findings.models import (
    AcceptBody,
    DismissBody,
    FindingListQuery,
    FindingPageModel,
    FindingWithHistoryModel,
    encode_position,
    finding_with_history,
    inbox_finding,
)

NOT_FOUND = ((404, "there is no such finding, or this API key may not see it"),)
REFUSED = (
    (409, "the finding's state allows no such decision, or it is about a person whom the key may not see"),
)
#: No number of a row is longer.
MAX_DIGITS = 18


class FindingEndpoints:
    """Endpoints for findings. Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, decisions: FindingDecisionService) -> None:
        self._database = database
        self._decisions = decisions

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/findings",
                "List findings, the worst first",
                Json(FindingPageModel),
                permission=FINDINGS_READ,
                takes=FindingListQuery,
                handler=self.list,
            ),
            Endpoint(
                "GET",
                "/api/findings/{id}",
                "Show a finding with its history",
                Json(FindingWithHistoryModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/findings/{id}/accept",
                "Accept a finding: somebody takes care of it",
                Json(FindingWithHistoryModel),
                permission=FINDINGS_WRITE,
                takes=AcceptBody,
                handler=self.accept,
                statuses=NOT_FOUND + REFUSED,
            ),
            Endpoint(
                "POST",
                "/api/findings/{id}/dismiss",
                "Dismiss a finding, with a reason",
                Json(FindingWithHistoryModel),
                permission=FINDINGS_WRITE,
                takes=DismissBody,
                handler=self.dismiss,
                statuses=NOT_FOUND + REFUSED,
            ),
            Endpoint(
                "POST",
                "/api/findings/{id}/undo",
                "Undo the decision on a finding",
                Json(FindingWithHistoryModel),
                permission=FINDINGS_WRITE,
                takes=NoBody,
                handler=self.undo,
                statuses=NOT_FOUND + REFUSED,
            ),
        ]

    async def list(
        self, _request: Request, principal: Principal, query: FindingListQuery
    ) -> FindingPageModel:
        """GET /api/findings. Raises InvalidCursor, StoreUnavailable."""
        visibility, persons = principal.visibility, principal.persons
        finding_filter, limit, after = query.filter(), query.limit, query.position()
        page = await self._database.read(
            lambda t: queries.list_findings(t, visibility, persons, finding_filter, limit, after), visibility
        )
        return FindingPageModel(
            findings=[inbox_finding(stored, persons) for stored in page.findings],
            next_cursor=encode_position(page.next),
        )

    async def show(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> FindingWithHistoryModel:
        """GET /api/findings/{id}. Raises ResourceNotFound, StoreUnavailable."""
        return await self._show(principal, _finding_id(request))

    async def accept(
        self, request: Request, principal: Principal, body: AcceptBody
    ) -> FindingWithHistoryModel:
        """POST /api/findings/{id}/accept. Raises ResourceNotFound, FindingDecisionRefused."""
        return await self._decide(request, principal, Trigger.ACCEPT, body.reason)

    async def dismiss(
        self, request: Request, principal: Principal, body: DismissBody
    ) -> FindingWithHistoryModel:
        """POST /api/findings/{id}/dismiss. Raises ResourceNotFound, FindingDecisionRefused."""
        return await self._decide(request, principal, Trigger.DISMISS, body.reason)

    async def undo(self, request: Request, principal: Principal, _body: NoBody) -> FindingWithHistoryModel:
        """POST /api/findings/{id}/undo. Raises ResourceNotFound, FindingDecisionRefused."""
        return await self._decide(request, principal, Trigger.UNDO, None)

    async def _decide(
        self, request: Request, principal: Principal, trigger: Trigger, reason: str | None
    ) -> FindingWithHistoryModel:
        finding_id = _finding_id(request)
        decided = await self._decisions.decide(principal, finding_id, trigger, reason)
        require(decided, "finding", str(finding_id))
        return await self._show(principal, finding_id)

    async def _show(self, principal: Principal, finding_id: int) -> FindingWithHistoryModel:
        def read(transaction: Transaction) -> FindingWithHistoryModel:
            found = queries.get_finding(transaction, principal.visibility, finding_id)
            stored = require(found, "finding", str(finding_id))
            events = queries.list_events(transaction, [stored.id])[stored.id]
            return finding_with_history(stored, events, principal.persons)

        return await self._database.read(read, principal.visibility)


def _finding_id(request: Request) -> int:
    """Return the number in the path. Raises ResourceNotFound."""
    text: str = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ResourceNotFound(f"there is no finding {text[:60]!r}")
    return int(text)
