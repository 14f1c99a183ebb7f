"""MCP over HTTP at /mcp. Every request needs an API key, and there are no sessions to hijack.

`/mcp?connection=ID&category=NAME` selects the connection and the categories of tools (a profile). Without
a connection, the only connection that the key sees is used.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from calmo_pagerduty.access.permissions import TOOLS_READ
from calmo_pagerduty.db.database import Database, StoreUnavailable
from ingress.api.authentication import authenticate
from ingress.api.endpoints import EndpointRow
from ingress.api.errors import NotAuthenticated, NotPermitted, TooMuchAtOnce, answer_own_error
from ingress.api.key_limits import REQUESTS
from ingress.api.models import Links
from ingress.incidents.action_service import ActionService
from ingress.mcp.parts import PRINCIPAL_KEY, McpParts
from ingress.mcp.report_endpoints import ReportEndpoints
from ingress.tools.service import ToolCallDispatcher

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class McpEndpoint:
    """The ASGI application at /mcp. Only web pages of `own_origin` may call it from a browser."""

    def __init__(
        self,
        database: Database,
        dispatcher: ToolCallDispatcher,
        action_service: ActionService,
        links: Links,
        own_origin: str,
    ) -> None:
        self._parts = McpParts(database, dispatcher, action_service, links)
        self._own_origin = own_origin
        self._is_wanted = asyncio.Event()

    def serve_reports(self, rows: Sequence[EndpointRow]) -> None:
        """Let agents use those endpoints that `REPORT_TOOLS` names."""
        self._parts.reports = ReportEndpoints.of(rows)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the session manager within the block, from the first MCP request on. Requests need it."""
        self._sessions: asyncio.Future[StreamableHTTPSessionManager] = (
            asyncio.get_running_loop().create_future()
        )
        serving = asyncio.create_task(self._serve())
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        origin = request.headers.get("origin")
        if origin is not None and origin != self._own_origin:
            error = {"error": {"status": 403, "message": "requests from this web page are not allowed"}}
            await JSONResponse(error, 403)(scope, receive, send)
            return
        try:
            principal = scope[PRINCIPAL_KEY] = await authenticate(self._parts.database, request, TOOLS_READ)
            with REQUESTS.taken(principal.key_id):
                self._is_wanted.set()
                sessions = await asyncio.shield(self._sessions)
                await sessions.handle_request(scope, receive, send)
        except (NotAuthenticated, NotPermitted, TooMuchAtOnce, StoreUnavailable) as error:
            await (await answer_own_error(request, error))(scope, receive, send)

    async def _serve(self) -> None:
        """The session manager needs one task that begins and ends it."""
        await self._is_wanted.wait()
        try:
            # In a thread: whoever else asks meanwhile is answered.
            sessions = await asyncio.to_thread(self._new_sessions)
        except Exception as error:  # whatever it is, the requests that wait must end with it
            self._sessions.set_exception(error)
            return
        async with sessions.run():
            self._sessions.set_result(sessions)
            await asyncio.Event().wait()

    def _new_sessions(self) -> "StreamableHTTPSessionManager":
        # The SDK takes a second to import, and most processes never serve an agent.
        from ingress.mcp.backend import new_sessions  # noqa: PLC0415 - imports the MCP SDK

        return new_sessions(self._parts)
