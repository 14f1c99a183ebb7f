"""The other faces: live streams, MCP and the command line show nothing foreign either."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from mcp import MCPError

from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.tools.catalogue import TOOLS
from tests.support.mcp_text import text_of
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import agent, served
from tests.support.worlds import MISSING, everything_kept, make_world

ACME, BANK, ROBIN = "organization:acme", "organization:bank", "personal:robin"
#: The command line shows one thing by each of these.
COMMANDS: Mapping[tuple[str, ...], str] = {
    ("issues", "show"): "issue", ("deliveries", "show"): "seq", ("explain",): "incident",
    ("connection", "show"): "connection", ("tool", "approve"): "call", ("api-key", "revoke"): "key",
    ("webhook", "show"): "webhook", ("context",): "issue", ("findings", "show"): "finding",
}  # fmt: skip


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, working=False) as found:
        yield found


async def test_a_live_stream_shows_nothing_foreign(service: System, keyring: Keyring) -> None:
    for scope in (ACME, ROBIN, BANK):
        last = await make_world(service, keyring, scope)
    headers = service.a_key(scopes=[BANK])
    async with served(service) as url, httpx.AsyncClient(verify=tls_context(), timeout=ANSWER) as http:
        async with http.stream("GET", f"{url}/api/issues/events?after=0", headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    break
        assert last.incident in line
        service.ingress.issues.closing.set()


async def test_over_mcp_no_tool_reaches_a_foreign_connection_or_call(
    service: System, keyring: Keyring
) -> None:
    foreign, own = [await make_world(service, keyring, scope) for scope in (ACME, BANK)]
    me = service.a_key(scopes=[BANK])
    before = everything_kept(service)
    async with served(service) as url:
        told = {}
        for world in (foreign, MISSING):
            async with agent(url, me, f"?connection={world.connection}") as client:
                with pytest.raises(MCPError) as refused:
                    await client.list_tools()
                said = [str(refused.value)]
                for tool in TOOLS:
                    said.append(text_of(await client.call_tool(tool, {})))
                said.append(text_of(await client.call_tool("get_tool_call", {"ticket": world.call})))
                told[world.connection] = "\n".join(said)
        assert foreign.as_missing(told[foreign.connection]) == told[MISSING.connection]
        async with agent(url, me, f"?connection={own.connection}") as client:
            assert (await client.list_tools()).tools
    assert everything_kept(service) == before


async def test_the_command_line_shows_nothing_foreign(service: System, keyring: Keyring) -> None:
    foreign = await make_world(service, keyring, ACME)
    me = service.a_key(scopes=[BANK])
    before = everything_kept(service)
    async with served(service) as url:
        terminal = Terminal(url, service)
        for command, thing in COMMANDS.items():
            said, missing = await asyncio.gather(
                *(
                    terminal.run(*command, str(getattr(world, thing)), headers=me)
                    for world in (foreign, MISSING)
                )
            )
            assert said.code == missing.code == 1, command
            assert foreign.as_missing(said.text + said.error) == missing.text + missing.error, command
    assert everything_kept(service) == before
