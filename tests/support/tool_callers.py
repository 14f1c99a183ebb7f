"""Who calls tools: over REST until a call's end, and agents over MCP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Literal

import httpx2
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client

from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.patience import ANSWER, EVENTUALLY
from tests.support.system import Json, System


async def until_state(system: System, call_id: str, *states: str, within: float = EVENTUALLY) -> Json:
    """Return the call once it is in one of these states."""
    async with asyncio.timeout(within):
        while True:
            call = await system.get(f"/api/tool-calls/{call_id}")
            if call["state"] in states:
                return call
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def served(system: System) -> AsyncIterator[str]:
    """The system on a real port of this machine, with MCP; yields its URL. Once per system."""
    app = build_app(system.ingress)
    async with system.ingress.mcp.running(), running_server(app, "127.0.0.1", 0) as url:
        yield url


@contextlib.asynccontextmanager
async def agent(
    url: str, headers: Mapping[str, str], query: str = "", mode: Literal["auto", "legacy"] = "auto"
) -> AsyncIterator[McpClient]:
    """An AI agent's MCP client over HTTP. `query` names connection and profile: `?category=…`."""
    async with httpx2.AsyncClient(headers=headers, timeout=ANSWER) as http:
        transport = streamable_http_client(f"{url}/mcp{query}", http_client=http)
        async with McpClient(transport, mode=mode) as client:
            yield client
