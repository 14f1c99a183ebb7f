"""REST endpoints that read issues: the list, an issue with its timeline, the live stream of changes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import queries as issue_queries, response_target_store as target_store
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.api.authentication import revalidate_principal
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.finding import SEVERAL_ISSUES, require_issue
from ingress.api.key_limits import LiveResponse
from ingress.api.models import Links
from ingress.incidents.models import (
    ChangeModel,
    ChangesQuery,
    IssueListQuery,
    IssuePageModel,
    IssueWithTimeline,
    change_model,
    issue_model,
    issue_with_timeline,
)
from ingress.incidents.response_target_models import ResponseModel, response_model

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
CHANGE_BATCH_SIZE = 200
KEEP_ALIVE_SECONDS = 15
#: The streams of a revoked key end within this time.
KEY_CHECK_SECONDS = 2.0


class IssueEndpoints:
    """Endpoints that read issues. Setting `closing` ends the live streams."""

    def __init__(self, database: Database, links: Links) -> None:
        self._database = database
        self._links = links
        self.closing = asyncio.Event()

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/issues",
                "List issues, newest incident first, or by expected dropped incidents",
                Json(IssuePageModel),
                permission=ISSUES_READ,
                takes=IssueListQuery,
                handler=self.list,
            ),
            Endpoint(
                "GET",
                "/api/issues/events",
                "Stream changes of issues as server-sent events",
                Media("text/event-stream"),
                permission=ISSUES_READ,
                takes=ChangesQuery,
                handler=self.stream,
            ),
            Endpoint(
                "GET",
                "/api/issues/{id}",
                "Show an issue with its timeline",
                Json(IssueWithTimeline),
                permission=ISSUES_READ,
                takes=NoInput,
                handler=self.show,
                statuses=((404, "there is no such issue"), SEVERAL_ISSUES),
            ),
        ]

    async def list(self, _request: Request, principal: Principal, query: IssueListQuery) -> IssuePageModel:
        """GET /api/issues. Raises InvalidCursor, InvalidScope, StoreUnavailable."""
        issue_filter = query.filter()
        limit, cursor, order = query.limit, query.cursor, query.order

        def read(connection: Transaction) -> IssuePageModel:
            page = issue_queries.list_issues(
                connection, principal.visibility, issue_filter, limit, cursor, order
            )
            rows = self._with_responses(connection, page.issues)
            return IssuePageModel(
                issues=[issue_model(issue, response, self._links) for issue, response in rows],
                next_cursor=page.next_cursor,
            )

        return await self._database.read(read, principal.visibility)

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> IssueWithTimeline:
        """GET /api/issues/{id}. Raises ResourceNotFound, Ambiguous, StoreUnavailable."""
        name = request.path_params["id"]

        def read(connection: Transaction) -> IssueWithTimeline:
            issue = require_issue(connection, principal.visibility, name)
            timeline = issue_queries.list_timeline(connection, issue)
            context = contexts.get_version(connection, principal.visibility, issue.ref.issue_id)
            [(_, response)] = self._with_responses(connection, [issue])
            return issue_with_timeline(issue, response, self._links, timeline, context)

        return await self._database.read(read, principal.visibility)

    async def stream(self, request: Request, principal: Principal, query: ChangesQuery) -> Response:
        """GET /api/issues/events, resumable by Last-Event-ID."""
        resume = request.headers.get("last-event-id", "")
        after = int(resume[:18]) if resume.isascii() and resume.isdigit() else query.after
        if after is None:
            after = await self._database.read(issue_queries.get_latest_change_id)
        changes = self._changes(principal, after)
        return LiveResponse(principal.key_id, changes, KEEP_ALIVE_SECONDS)

    async def _changes(self, principal: Principal, after: int) -> AsyncIterator[ServerSentEvent]:
        checked_at = time.monotonic()
        while not self.closing.is_set():
            try:
                if time.monotonic() - checked_at >= KEY_CHECK_SECONDS:
                    current = await self._database.read(revalidate_principal(principal))
                    if current is None or ISSUES_READ not in current.permissions:
                        return
                    principal, checked_at = current, time.monotonic()
                changes = await self._database.read(
                    self._changes_after(principal.visibility, after), principal.visibility
                )
            except StoreUnavailable as error:
                logger.warning("changes_unreadable", extra={"error": str(error)})
                changes = ()
            for change in changes:
                after = change.id
                yield ServerSentEvent(data=change.model_dump_json(), event="issue", id=str(change.id))
            if not changes:
                await asyncio.sleep(POLL_SECONDS)

    def _changes_after(
        self, visibility: Visibility, after: int
    ) -> Callable[[Transaction], Sequence[ChangeModel]]:
        def read(connection: Transaction) -> Sequence[ChangeModel]:
            changes = issue_queries.list_changes_after(connection, visibility, after, CHANGE_BATCH_SIZE)
            rows = self._with_responses(connection, [change.issue for change in changes])
            pairs = zip(changes, rows, strict=True)
            return [change_model(change, response, self._links) for change, (_, response) in pairs]

        return read

    def _with_responses(
        self, connection: Transaction, issues: Sequence[Issue]
    ) -> Sequence[tuple[Issue, ResponseModel]]:
        now = datetime.now(UTC)
        response_times = target_store.get_response_times(connection, issues)
        return [(issue, response_model(response_times[issue.ref.issue_id], now)) for issue in issues]
