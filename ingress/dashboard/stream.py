"""The live stream: it carries keys, never texts. A page that shows an issue fetches it again by GET.

So there is one way to draw a row, the caller's rights are checked for each request, and a stream can be
resumed after any number.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.session_store import Session
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.incidents import queries as issue_queries
from ingress.api.errors import NotPermitted
from ingress.api.key_limits import LiveResponse
from ingress.dashboard.sessions import Sessions

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
BATCH_SIZE = 200
#: The stream of an ended session ends within this time. A beat is sent as often, so a page knows it is live.
CHECK_SECONDS = 2.0


class LiveStream:
    """Streams the numbers of changes. Setting `closing` ends all streams."""

    def __init__(self, database: Database, sessions: Sessions, closing: asyncio.Event) -> None:
        self._database = database
        self._sessions = sessions
        self._closing = closing

    async def serve(self, request: Request) -> Response:
        """GET /dashboard/stream?after=NUMBER, resumable by Last-Event-ID.

        Raises NotAuthenticated, NotPermitted, StoreUnavailable.
        """
        session = await self._sessions.find(request)
        if ISSUES_READ not in session.principal.permissions:
            raise NotPermitted(f"this needs the permission {ISSUES_READ}")
        given = request.headers.get("last-event-id") or request.query_params.get("after", "")
        after = int(given[:18]) if given.isascii() and given.isdigit() else None
        if after is None:
            after = await self._database.read(issue_queries.get_latest_change_id)
        return LiveResponse(session.principal.key_id, self._keys(session, after), 3600)

    async def _keys(self, session: Session, after: int) -> AsyncIterator[ServerSentEvent]:
        checked_at = float("-inf")
        while not self._closing.is_set():
            try:
                if time.monotonic() - checked_at >= CHECK_SECONDS:
                    current = await self._sessions.still_valid(session)
                    if current is None or ISSUES_READ not in current.principal.permissions:
                        yield ServerSentEvent(event="ended", data="")
                        return
                    session, checked_at = current, time.monotonic()
                    yield ServerSentEvent(event="beat", data="")
                visibility, position = session.principal.visibility, after
                changes = await self._database.read(
                    lambda t: issue_queries.list_changed_issues(t, visibility, position, BATCH_SIZE),  # noqa: B023 - called before the loop goes on
                    visibility,
                )
            except StoreUnavailable as error:
                # Without beats the page shows that it is stale.
                logger.warning("changes_unreadable", extra={"error": str(error)})
                changes = ()
            for change_id, issue_id in changes:
                after = change_id
                yield ServerSentEvent(event="issue", data=f"{issue_id},{change_id}", id=str(change_id))
            if not changes:
                await asyncio.sleep(POLL_SECONDS)
