"""Reading issues: list, one with its timeline, and the live stream of changes."""

import asyncio
import logging
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.domain.incident_references import ISSUE_ID
from calmo_pagerduty.domain.scopes import Visibility
from calmo_pagerduty.store import issue_queries
from calmo_pagerduty.store.api_keys import Caller
from calmo_pagerduty.store.database import Database, StoreUnavailable, Transaction
from ingress.authentication import ISSUES_READ
from ingress.endpoints import Endpoint
from ingress.errors import NotFound
from ingress.issue_models import (
    ChangesQuery,
    IssueListQuery,
    IssuePageModel,
    IssueWithTimeline,
    Links,
    Model,
)

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
CHANGES_AT_ONCE = 200
KEEP_ALIVE_SECONDS = 15


class IssueReader:
    """The issue endpoints. Each sees no more than its caller may."""

    def __init__(self, database: Database, links: Links) -> None:
        self._database = database
        self._links = links
        self.closing = asyncio.Event()

    def endpoints(self) -> "list[Endpoint]":
        return [
            Endpoint(
                "GET", "/api/issues", "List issues, newest incident first", IssuePageModel,
                permission=ISSUES_READ, query=IssueListQuery, handler=self.list,
            ),
            Endpoint(
                "GET", "/api/issues/events", "Each change as it happens", "text/event-stream",
                permission=ISSUES_READ, query=ChangesQuery, handler=self.stream,
            ),
            Endpoint(
                "GET", "/api/issues/{id}", "One issue with its timeline", IssueWithTimeline,
                permission=ISSUES_READ, handler=self.show, statuses=((404, "no such issue"),),
            ),
        ]  # fmt: skip

    async def list(self, _request: Request, caller: Caller, query: Model | None) -> Model:
        """GET /api/issues. Raises InvalidCursor, InvalidScope, StoreUnavailable."""
        assert isinstance(query, IssueListQuery)
        wanted = query.filter()
        page = await self._database.read(
            lambda connection: issue_queries.list_issues(
                connection, caller.visibility, wanted, query.limit, query.cursor
            )
        )
        return IssuePageModel(
            issues=[self._links.issue(issue) for issue in page.issues], next_cursor=page.next_cursor
        )

    async def show(self, request: Request, caller: Caller, _query: Model | None) -> Model:
        """GET /api/issues/{id}. Raises NotFound, StoreUnavailable."""
        issue_id = request.path_params["id"]
        if not ISSUE_ID.fullmatch(issue_id):
            raise NotFound(f"there is no issue {issue_id[:100]!r}")

        def read(connection: Transaction) -> Model | None:
            issue = issue_queries.find_issue(connection, caller.visibility, issue_id)
            if issue is None:
                return None
            return self._links.issue_with_timeline(issue, issue_queries.read_timeline(connection, issue))

        found = await self._database.read(read)
        if found is None:
            raise NotFound(f"there is no issue {issue_id[:100]!r}")
        return found

    async def stream(self, request: Request, caller: Caller, query: Model | None) -> Response:
        """GET /api/issues/events, resumable by Last-Event-ID."""
        assert isinstance(query, ChangesQuery)
        resume = request.headers.get("last-event-id", "")
        after = int(resume[:18]) if resume.isascii() and resume.isdigit() else query.after
        if after is None:
            after = await self._database.read(issue_queries.latest_change)
        changes = self._changes(caller.visibility, after)
        return EventSourceResponse(changes, ping=KEEP_ALIVE_SECONDS, shutdown_event=None)

    async def _changes(self, visibility: Visibility, after: int) -> AsyncIterator[ServerSentEvent]:
        while not self.closing.is_set():
            position = after
            try:
                found = await self._database.read(
                    lambda connection, position=position: issue_queries.changes_after(  # type: ignore[misc]
                        connection, visibility, position, CHANGES_AT_ONCE
                    )
                )
            except StoreUnavailable as error:
                logger.warning("changes_unreadable", extra={"error": str(error)})
                found = ()
            for change in found:
                after = change.id
                data = self._links.change(change).model_dump_json()
                yield ServerSentEvent(data=data, event="issue", id=str(change.id))
            if not found:
                await asyncio.sleep(POLL_SECONDS)
