"""Serves an agent's request over HTTP: its key, its connection, its profile.

It imports the MCP SDK, so `ingress/mcp/endpoint.py` imports it at the first request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTIONS, InvalidAction
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls.authorization_service import (
    CallRefused,
    CapReached,
    NoSuchConnection,
    NoSuchTool,
    resolve_connection,
)
from calmo_pagerduty.tool_calls.model import MAX_IDEMPOTENCY_KEY, CallState, Channel
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused
from calmo_pagerduty.tools.arguments import InvalidArguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Category
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import PrincipalRights, judge
from ingress.api.error_table import STATUS_OF_ERROR
from ingress.api.errors import (
    ActionRefused,
    NotAnIncident,
    ResourceNotFound,
)
from ingress.api.models import Links
from ingress.api.untrusted_reads import save_untrusted_read
from ingress.incidents.action_models import action_model
from ingress.mcp.action_tool import ACT_CATEGORY
from ingress.mcp.context_reading import read_context
from ingress.mcp.context_tool import CONTEXT_CATEGORIES, CONTEXT_TOOL
from ingress.mcp.parts import PRINCIPAL_KEY, McpParts
from ingress.mcp.presentation import CannotServe, Json, build_server
from ingress.mcp.report_shapes import InvalidInput, ReportShape, parse_call
from ingress.mcp.report_tools import REPORT_SHAPES, REPORT_TOOL_BY_NAME
from ingress.tools.models import ToolCallModel, call_model
from ingress.tools.service import CallResult

MAX_BODY_BYTES = 256 * 1024
WAIT_SECONDS = 25.0
_SERVICE_FAULT = "our own service has trouble: try it again later"
_REFUSALS = (
    NoSuchTool,
    NoSuchConnection,
    InvalidArguments,
    CallRefused,
    CapReached,
    IdempotencyKeyReused,
    ResourceNotFound,
    ActionRefused,
    NotAnIncident,
    InvalidAction,
)


def new_sessions(parts: McpParts) -> StreamableHTTPSessionManager:
    """Return what serves requests of agents, once it runs."""

    async def backend_of(context: ServerRequestContext[Any, Any]) -> Backend:
        request = context.request
        if not isinstance(request, Request):
            raise CannotServe("the request came without its HTTP headers")
        categories = frozenset(request.query_params.getlist("category"))
        if unknown := categories - set(Category):
            raise CannotServe(f"no such category: {', '.join(sorted(unknown))[:100]}; {', '.join(Category)}")
        connection = request.query_params.get("connection")
        return Backend(parts, request.scope[PRINCIPAL_KEY], connection, categories)

    return StreamableHTTPSessionManager(
        build_server(backend_of), json_response=True, stateless=True, max_request_body_size=MAX_BODY_BYTES
    )


class Backend:
    """Serves one request with its principal, connection and profile."""

    def __init__(
        self, parts: McpParts, principal: Principal, connection_id: str | None, categories: frozenset[str]
    ) -> None:
        self._database = parts.database
        self._dispatcher = parts.dispatcher
        self._action_service = parts.action_service
        self._links = parts.links
        self._reports = parts.reports
        self._principal = principal
        self._connection_id = connection_id
        self._categories = categories

    async def tools(self) -> Sequence[Tool]:
        connection = await self._connection()
        return [
            tool for tool in TOOLS.values() if self._in_profile(tool) and self._is_allowed(tool, connection)
        ]

    async def actions(self) -> Sequence[Action]:
        if ISSUES_READ not in self._principal.permissions or not self._includes(ACT_CATEGORY):
            return ()
        connection = await self._connection()
        return [action for action in Action if self._is_allowed(TOOLS[ACTIONS[action].tool], connection)]

    async def act(self, issue: str, action: str, arguments: Json, idempotency_key: str | None) -> Json:
        if ISSUES_READ not in self._principal.permissions or not self._includes(ACT_CATEGORY):
            raise CannotServe("act_on_issue is not available to this key and profile: it needs issues:read")
        issue_id = await self._issue_id(issue)
        try:
            result = await self._action_service.act(
                self._principal,
                Channel.MCP,
                issue_id,
                action,
                arguments,
                _check_idempotency_key(idempotency_key),
                WAIT_SECONDS,
            )
        except _REFUSALS as error:
            raise CannotServe(str(error)) from error
        except (TemporalUnavailable, StoreUnavailable, CannotDecrypt) as error:
            raise CannotServe(f"{_SERVICE_FAULT} with the same idempotency_key") from error
        await self._save_read()
        return action_model(result, self._links).model_dump(mode="json")

    async def may_read_contexts(self) -> bool:
        in_profile = any(map(self._includes, CONTEXT_CATEGORIES))
        return in_profile and ISSUES_READ in self._principal.permissions

    async def context(self, incident: str, version: int | None) -> Json:
        if not await self.may_read_contexts():
            raise CannotServe(
                f"{CONTEXT_TOOL} is not available to this key and profile: it needs issues:read"
            )
        issue_id, visibility = await self._issue_id(incident), self._principal.visibility
        await self._save_read()
        try:
            return await self._database.read(
                lambda t: read_context(t, visibility, issue_id, version), visibility
            )
        except (ResourceNotFound, NotAnIncident) as error:
            raise CannotServe(str(error)) from error
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error

    async def report_tools(self) -> Sequence[ReportShape]:
        return [shape for shape in REPORT_SHAPES.values() if self._may_use(shape)]

    async def find_report(self, name: str) -> ReportShape | None:
        return REPORT_SHAPES.get(name)

    async def report(self, shape: ReportShape, arguments: Json) -> Any:
        if not self._may_use(shape):
            needed = REPORT_TOOL_BY_NAME[shape.name].permission
            raise CannotServe(f"{shape.name} is not available to this key and profile: it needs {needed}")
        await self._save_read()
        try:
            call = parse_call(shape, (await self._connection()).id, arguments)
            return await self._reports.answer(call, self._principal)
        except InvalidInput as error:
            raise CannotServe(str(error)) from error
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error
        except tuple(STATUS_OF_ERROR) as error:
            raise CannotServe(str(error)) from error

    def _may_use(self, shape: ReportShape) -> bool:
        tool = REPORT_TOOL_BY_NAME[shape.name]
        return tool.permission in self._principal.permissions and self._includes(tool.category)

    async def call(self, name: str, arguments: Json, idempotency_key: str | None) -> Json:
        tool = TOOLS.get(name)
        if tool is not None and not self._in_profile(tool):
            raise CannotServe(f"{name} is not in this profile's categories")
        key = _check_idempotency_key(idempotency_key)
        try:
            result = await self._dispatcher.call(
                self._principal, Channel.MCP, self._connection_id, name, arguments, key, WAIT_SECONDS
            )
        except _REFUSALS as error:
            raise CannotServe(str(error)) from error
        except (TemporalUnavailable, StoreUnavailable, CannotDecrypt) as error:
            raise CannotServe(f"{_SERVICE_FAULT} with the same idempotency_key") from error
        if result.state is not CallState.WAITING:
            await self._save_read()
        return _call_json(result, name, self._links)

    async def get_call(self, ticket: str) -> Json:
        await self._save_read()
        try:
            call = await self._dispatcher.get_call(self._principal, ticket)
        except ResourceNotFound as error:
            raise CannotServe(str(error)) from error
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error
        return call_model(call, self._links).model_dump(mode="json")

    async def _save_read(self) -> None:
        """Remember that the agent gets foreign texts now. Raises CannotServe."""
        try:
            await save_untrusted_read(self._database, self._principal)
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error

    async def _connection(self) -> Connection:
        try:
            return await self._database.read(
                lambda transaction: resolve_connection(transaction, self._principal, self._connection_id),
                self._principal.visibility,
            )
        except NoSuchConnection as error:
            raise CannotServe(str(error)) from error
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error

    async def _issue_id(self, text: str) -> str:
        """Return the id of an issue of this connection. Agents may pass PagerDuty's incident id instead."""
        connection_id = (await self._connection()).id
        if INCIDENT_ID.fullmatch(text):
            return IncidentRef(connection_id=connection_id, incident_id=text).issue_id
        try:
            issue = await self._database.read(
                lambda t: issue_queries.get_issue(t, self._principal.visibility, text),
                self._principal.visibility,
            )
        except StoreUnavailable as error:
            raise CannotServe(_SERVICE_FAULT) from error
        if issue is None or issue.ref.connection_id != connection_id:
            raise CannotServe(f"there is no issue {text[:100]!r} on this connection")
        return text

    def _is_allowed(self, tool: Tool, connection: Connection) -> bool:
        rights = PrincipalRights(self._principal.permissions, self._principal.teams)
        return judge(tool, rights, connection.rules, connection.facts).allowed

    def _in_profile(self, tool: Tool) -> bool:
        return self._includes(tool.category)

    def _includes(self, category: Category) -> bool:
        return not self._categories or category in self._categories


def _check_idempotency_key(idempotency_key: str | None) -> str | None:
    if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_IDEMPOTENCY_KEY:
        raise CannotServe(f"idempotency_key: 1 to {MAX_IDEMPOTENCY_KEY} characters")
    return idempotency_key


def _call_json(result: CallResult, name: str, links: Links) -> Mapping[str, Any]:
    if result.call is not None:
        return call_model(result.call, links).model_dump(mode="json")
    model = ToolCallModel(
        state=result.state,
        tool=name,
        result=None if result.result is None else dict(result.result),
        error=None if result.error is None else dict(result.error),
    )
    return model.model_dump(mode="json")
