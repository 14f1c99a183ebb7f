"""MCP over standard input and output, for an agent on this machine: our REST API stands behind it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from calmo_pagerduty.http_client import AsyncClient, HTTPError, Timeout
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.tool import Tool
from ingress.mcp.presentation import CannotServe, Json, build_server
from ingress.tools.endpoints import FACE_HEADER

PATIENCE = Timeout(10.0, read=90.0)


async def serve_stdio(url: str, api_key: str, connection: str | None, categories: Sequence[str]) -> None:
    """Serve until standard input ends."""
    headers = {"Authorization": f"Bearer {api_key}", FACE_HEADER: "mcp"}
    async with AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False) as http:
        backend = _RestBackend(http, connection, categories)

        async def backend_of(_context: ServerRequestContext[Any, Any]) -> _RestBackend:
            return backend

        server = build_server(backend_of)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())


class _RestBackend:
    def __init__(self, http: AsyncClient, connection: str | None, categories: Sequence[str]) -> None:
        self._http = http
        self._connection = connection
        self._categories = frozenset(categories)

    async def tools(self) -> Sequence[Tool]:
        params = [("category", one) for one in sorted(self._categories)]
        params.append(("connection", self._connection or await self._only_connection()))
        answer = await self._request("GET", "/api/tools", params=params)
        return [TOOLS[one["name"]] for one in answer["tools"] if one["allowed"] and one["name"] in TOOLS]

    async def call(self, name: str, arguments: Json, idempotency_key: str | None) -> Json:
        tool = TOOLS.get(name)
        if tool is None or (self._categories and tool.category not in self._categories):
            raise CannotServe(f"there is no tool {name[:60]!r} in this profile")
        body: dict[str, Any] = {"arguments": dict(arguments), "wait_seconds": 25.0}
        if self._connection is not None:
            body["connection"] = self._connection
        if idempotency_key is not None:
            body["idempotency_key"] = idempotency_key
        return await self._request("POST", f"/api/tools/{name}", json=body)

    async def look(self, ticket: str) -> Json:
        return await self._request("GET", f"/api/tool-calls/{quote(ticket, safe='')}")

    async def _only_connection(self) -> str:
        """Return the only connection with a token that this key sees."""
        try:
            answer = await self._request("GET", "/api/connections")
        except CannotServe as error:
            raise CannotServe(f"{error}; name the connection by --connection") from error
        found = [one["id"] for one in answer["connections"] if one["token_kind"]]
        if len(found) != 1:
            raise CannotServe(f"say which connection is meant, by --connection: {', '.join(found) or 'none'}")
        return str(found[0])

    async def _request(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        try:
            answer = await self._http.request(method, path, **options)
            said = answer.json()
        except (HTTPError, ValueError) as error:
            raise CannotServe(f"our service can't be reached ({type(error).__name__})") from error
        if isinstance(said, dict) and ("state" in said or answer.is_success):
            return said
        message = said["error"]["message"] if isinstance(said, dict) and "error" in said else "no details"
        raise CannotServe(str(message))
