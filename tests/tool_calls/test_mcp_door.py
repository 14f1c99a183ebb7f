"""The HTTP door of MCP: whom it lets in, and that it keeps no session."""

from typing import Any

import pytest

from tests.support.system import System

PROTOCOL = "2026-07-28"
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


async def knock(service: System, headers: dict[str, str], body: Any = LIST, **more: Any) -> Any:
    return await service.http.post("/mcp", headers={**HEADERS, **headers}, json=body, **more)


async def test_without_a_valid_key_nobody_gets_in(service: System) -> None:
    for headers in ({}, {"Authorization": "Bearer calmo_no_such_key"}, {"Authorization": "Basic Zm9v"}):
        answer = await knock(service, headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "API key" in answer.json()["error"]["message"]


async def test_a_key_without_the_permission_for_tools_is_refused(service: System) -> None:
    answer = await knock(service, service.a_key("issues:read"))
    assert answer.status_code == 403
    assert "tools:read" in answer.json()["error"]["message"]


async def test_a_foreign_web_page_is_refused_whatever_its_key(service: System) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8080.evil.example"):
        answer = await knock(service, {**service.headers, "Origin": origin})
        assert answer.status_code == 403
        assert "web page" in answer.json()["error"]["message"]


async def test_our_own_web_page_is_let_in(service: System) -> None:
    own = service.ingress.services.settings.public_address
    async with service.ingress.mcp.running():
        answer = await knock(service, {**service.headers, "Origin": own})
    assert answer.status_code == 200, answer.text


async def test_a_body_that_is_too_large_is_refused(service: System) -> None:
    huge = {**LIST, "params": {"padding": "x" * (256 * 1024)}}
    async with service.ingress.mcp.running():
        assert (await knock(service, dict(service.headers), huge)).status_code == 413
        assert (await knock(service, {}, huge)).status_code == 401


@pytest.mark.parametrize("version", ["2025-06-18", PROTOCOL])
async def test_each_request_stands_for_itself_without_a_session(service: System, version: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    modern = {"Mcp-Method": "tools/list"} if version == PROTOCOL else {}
    body = {**LIST, "params": {"_meta": meta}} if modern else LIST
    headers = {**service.headers, "MCP-Protocol-Version": version, **modern}
    listed = []
    async with service.ingress.mcp.running():
        for _ in range(2):
            answer = await knock(service, headers, body)
            assert answer.status_code == 200, answer.text
            assert "mcp-session-id" not in answer.headers
            listed.append({tool["name"] for tool in answer.json()["result"]["tools"]})
        stranger = service.a_key(scopes=("organization:other",))
        refused = await knock(service, {**headers, **stranger}, body)
    assert listed[0] == listed[1]
    assert "get_incident" in listed[0]
    assert "result" not in refused.json()
