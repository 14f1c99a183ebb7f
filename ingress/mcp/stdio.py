"""MCP over standard input and output, for an agent on this machine. It calls our REST API."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from calmo_pagerduty.clients.requests import (
    CHANNEL_HEADER,
    ApiProblem,
    ApiRequest,
    call_state,
    issue_action,
    tool_call,
)
from calmo_pagerduty.clients.rest import AsyncApiClient
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTIONS
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Tool
from ingress.mcp.action_tool import ACT_CATEGORY
from ingress.mcp.context_tool import CONTEXT_CATEGORIES, CONTEXT_TOOL, build_digest
from ingress.mcp.presentation import CannotServe, Json, build_server
from ingress.mcp.report_shapes import InvalidInput, ReportShape, parse_call

#: Agents' programs wait longer than this for a tool.
WAIT_SECONDS = 25.0


def run_stdio(url: str, api_key: str, connection: str | None, categories: Sequence[str]) -> None:
    """Serve until standard input ends."""
    asyncio.run(serve_stdio(url, api_key, connection, categories))


async def serve_stdio(url: str, api_key: str, connection: str | None, categories: Sequence[str]) -> None:
    """Serve until standard input ends."""
    async with AsyncApiClient(url, api_key, face="mcp") as api, stdio_server() as (reading, writing):
        server = rest_server(api, connection, categories)
        await server.run(reading, writing, server.create_initialization_options())


def rest_server(api: AsyncApiClient, connection: str | None, categories: Sequence[str]) -> Server[Any]:
    """Return the MCP server that asks our REST API, for an agent with this connection and profile."""
    backend = _RestBackend(api, connection, categories)

    async def backend_of(_context: ServerRequestContext[Any, Any]) -> _RestBackend:
        return backend

    return build_server(backend_of)


class _RestBackend:
    def __init__(self, api: AsyncApiClient, connection: str | None, categories: Sequence[str]) -> None:
        self._api = api
        self._connection = connection
        self._categories = frozenset(categories)
        #: The report tools by name, once the service was asked for them.
        self._reports: dict[str, ReportShape] | None = None

    async def tools(self) -> Sequence[Tool]:
        params = [("category", category) for category in sorted(self._categories)]
        params.append(("connection", self._connection or await self._only_connection()))
        answer = await self._ask(ApiRequest("GET", "/api/tools", params))
        return [TOOLS[tool["name"]] for tool in answer["tools"] if tool["allowed"] and tool["name"] in TOOLS]

    async def call(self, name: str, arguments: Json, idempotency_key: str | None) -> Json:
        tool = TOOLS.get(name)
        if tool is None or (self._categories and tool.category not in self._categories):
            raise CannotServe(f"there is no tool {name[:60]!r} in this profile")
        return await self._ask(tool_call(name, arguments, self._connection, idempotency_key, WAIT_SECONDS))

    async def actions(self) -> Sequence[Action]:
        if self._categories and ACT_CATEGORY not in self._categories:
            return ()
        allowed = {tool.name for tool in await self.tools()}
        return [action for action in Action if ACTIONS[action].tool in allowed]

    async def act(self, issue: str, action: str, arguments: Json, idempotency_key: str | None) -> Json:
        if self._categories and ACT_CATEGORY not in self._categories:
            raise CannotServe("act_on_issue is not in this profile's categories")
        issue_id = await self._issue_id(issue)
        return await self._ask(issue_action(issue_id, action, arguments, idempotency_key, WAIT_SECONDS))

    async def may_read_contexts(self) -> bool:
        if self._categories and not self._categories & CONTEXT_CATEGORIES:
            return False
        try:
            # Not the agent asks this: it gets nothing of the answer.
            await self._ask(ApiRequest("GET", "/api/issues", [("limit", "1")], headers={CHANNEL_HEADER: ""}))
        except CannotServe:
            return False
        return True

    async def context(self, incident: str, version: int | None) -> Json:
        if self._categories and not self._categories & CONTEXT_CATEGORIES:
            raise CannotServe(f"{CONTEXT_TOOL} is not in this profile's categories")
        params = [] if version is None else [("version", str(version))]
        path = f"/api/issues/{await self._issue_id(incident)}/context"
        return build_digest(IncidentContext.model_validate(await self._ask(ApiRequest("GET", path, params))))

    async def report_tools(self) -> Sequence[ReportShape]:
        answer = await self._ask(ApiRequest("GET", "/api/report-tools"))
        self._reports = {tool["name"]: _shape(tool) for tool in answer["tools"]}
        allowed = {tool["name"] for tool in answer["tools"] if tool["allowed"]}
        return [shape for shape in self._reports.values() if shape.name in allowed and self._includes(shape)]

    async def find_report(self, name: str) -> ReportShape | None:
        if name in TOOLS:
            return None
        if self._reports is None:
            await self.report_tools()
        return (self._reports or {}).get(name)

    async def report(self, shape: ReportShape, arguments: Json) -> Any:
        if not self._includes(shape):
            raise CannotServe(f"{shape.name} is not in this profile's categories")
        try:
            call = parse_call(shape, self._connection or await self._only_connection(), arguments)
        except InvalidInput as error:
            raise CannotServe(str(error)) from error
        return await self._ask(call.request())

    def _includes(self, shape: ReportShape) -> bool:
        return not self._categories or shape.category in self._categories

    async def get_call(self, ticket: str) -> Json:
        return await self._ask(call_state(ticket))

    async def _issue_id(self, text: str) -> str:
        """Return the id of an issue of this connection. Agents may pass PagerDuty's incident id instead."""
        connection = self._connection or await self._only_connection()
        if INCIDENT_ID.fullmatch(text):
            return IncidentRef(connection_id=connection, incident_id=text).issue_id
        issue = await self._ask(ApiRequest("GET", f"/api/issues/{quote(text, safe='')}"))
        if issue.get("connection_id") != connection:
            raise CannotServe(f"there is no issue {text[:100]!r} on this connection")
        return text

    async def _only_connection(self) -> str:
        """Return the only connection with a token that this key sees."""
        try:
            answer = await self._ask(ApiRequest("GET", "/api/connections"))
        except CannotServe as error:
            raise CannotServe(f"{error}; name the connection by --connection") from error
        ids = [connection["id"] for connection in answer["connections"] if connection["token_kind"]]
        if len(ids) != 1:
            raise CannotServe(f"name the connection by --connection: {', '.join(ids) or 'none'}")
        return str(ids[0])

    async def _ask(self, request: ApiRequest) -> Json:
        try:
            return await self._api.ask(request)
        except ApiProblem as problem:
            raise CannotServe(problem.detail) from problem


def _shape(tool: Json) -> ReportShape:
    """Return a row of /api/report-tools as a tool."""
    return ReportShape(**{field.name: tool[field.name] for field in dataclasses.fields(ReportShape)})
