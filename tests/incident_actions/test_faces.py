"""Acting on issues from the command line, by agents over MCP, and by other services of Calmo."""

import json
import os

import httpx
import pytest
from mcp import Client as McpClient, StdioServerParameters, stdio_client

from calmo_pagerduty.clients.tools import ToolClient, ToolProblem
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules
from ingress.mcp.action_tool import ACT_TOOL
from tests.support.connected import WRITES_ON
from tests.support.mcp_text import data_of
from tests.support.patience import ANSWER
from tests.support.system import System
from tests.support.terminal import Terminal
from tests.support.tool_callers import agent, served


async def test_the_command_line_acts_on_an_incident(system: System) -> None:
    incident = await system.page()
    user = list(system.account.users)[-1]
    async with served(system) as url:
        terminal = Terminal(url, system)
        done = await terminal.run("issues", "act", incident, "acknowledge")
        assert (done.code, done.text.strip()) == (0, "acknowledge by test: done")
        issue_id = system.ref(incident).issue_id
        moved = await terminal.run("issues", "act", issue_id, "reassign", f"assignee_ids={user}", "--json")
        assert (moved.code, moved.json["outcome"]) == (0, "done")
        refused = await terminal.run("issues", "act", incident, "reopen")
        assert refused.code == 1
        assert "only a resolved incident is reopened" in refused.error
        said = json.dumps({"resolution": "Rolled back, twice."})
        resolved = await terminal.run("issues", "act", incident, "resolve", "--arguments-stdin", said=said)
        assert resolved.code == 0, resolved.error
        shown = await terminal.run("issues", "show", incident)
        assert "resolved by test via" in shown.text
    assert system.account.incident(incident).resolution == "Rolled back, twice."


async def test_rest_takes_pagerdutys_id_of_the_incident_too(system: System) -> None:
    incident = await system.page()
    async with (
        served(system) as url,
        httpx.AsyncClient(base_url=url, headers=system.headers, timeout=ANSWER) as http,
    ):
        path = f"/api/issues/{incident}"
        body = {"action": "acknowledge", "idempotency_key": "once"}
        acted = (await http.post(f"{path}/actions", json=body)).json()
        listed = (await http.get(f"{path}/actions")).json()["operations"]
        shown = (await http.get(path)).json()
        nowhere = await http.post("/api/issues/QNOWHERE/actions", json=body)
    issue_id = system.ref(incident).issue_id
    assert (acted["outcome"], shown["id"], nowhere.status_code) == ("done", issue_id, 404)
    assert [operation["call_id"] for operation in listed] == [acted["call_id"]]


async def test_the_command_line_gives_a_ticket_for_what_waits(system: System) -> None:
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.MEDIUM})}))
    incident = await system.page()
    async with served(system) as url:
        waits = await Terminal(url, system).run("issues", "act", incident, "resolve")
    assert waits.code == 3
    assert "calmo-pagerduty tool approve" in waits.text


async def test_an_agent_acts_over_mcp_through_the_gate(system: System) -> None:
    system.permit(WRITES_ON.model_copy(update={"medium_after_untrusted": True}))
    incident = await system.page()
    person = system.a_key("issues:read", "tools:read", "tools:write", person="Agent")
    async with served(system) as url, agent(url, person) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools[ACT_TOOL].input_schema["properties"]["action"]["enum"] == list(Action)
        done = await client.call_tool(ACT_TOOL, {"issue": incident, "action": "acknowledge"})
        assert data_of(done) is not None
        assert data_of(done)["state"] == "done", done
        issue = system.ref(incident).issue_id
        note = {"issue": issue, "action": "add_note", "arguments": {"content": "Hi."}, "idempotency_key": "k"}
        for _ in range(2):
            await client.call_tool(ACT_TOOL, note)
        refused = await client.call_tool(ACT_TOOL, {"issue": incident, "action": "reopen"})
        assert refused.is_error
        assert "only a resolved incident" in str(refused.content)
        for where, what in (("iss_nowhere", "resolve"), (incident, "explode")):
            assert (await client.call_tool(ACT_TOOL, {"issue": where, "action": what})).is_error
    assert len(system.account.incident(incident).notes) == 1
    assert (await system.told(incident))[1] == "acknowledged by Agent via Calmo"
    assert "mcp" in {record.get("face") for record in await system.audited()}


async def test_an_agent_that_may_not_act_does_not_see_the_tool(system: System) -> None:
    incident = await system.page()
    writer = system.a_key("issues:read", "tools:read", "tools:write")
    cases = (
        (system.a_key("issues:read", "tools:read"), ""),
        (system.a_key("tools:read", "tools:write"), ""),
        (writer, "?category=services"),
    )
    async with served(system) as url:
        for headers, query in cases:
            async with agent(url, headers, query) as client:
                assert ACT_TOOL not in {tool.name for tool in (await client.list_tools()).tools}
                answer = await client.call_tool(ACT_TOOL, {"issue": incident, "action": "resolve"})
                assert answer.is_error
        system.permit(ConnectionRules())
        async with agent(url, writer) as client:
            assert ACT_TOOL not in {tool.name for tool in (await client.list_tools()).tools}
            answer = await client.call_tool(ACT_TOOL, {"issue": incident, "action": "resolve"})
            assert "writes are off by default" in str(answer.content)
    assert system.account.incident(incident).status == "triggered"


async def test_an_agent_on_this_machine_acts_over_standard_input(system: System) -> None:
    incident = await system.page()
    key = system.headers["Authorization"].removeprefix("Bearer ")
    async with served(system) as url:
        server = StdioServerParameters(
            command=f"{os.environ.get('VIRTUAL_ENV', '.venv')}/bin/calmo-pagerduty",
            args=["mcp"],
            env={"CALMO_URL": url, "CALMO_API_KEY": key, "PATH": os.environ["PATH"]},
        )
        async with McpClient(stdio_client(server)) as client:
            assert ACT_TOOL in {tool.name for tool in (await client.list_tools()).tools}
            done = await client.call_tool(ACT_TOOL, {"issue": incident, "action": "resolve"})
    assert data_of(done) is not None
    assert data_of(done)["state"] == "done"
    assert system.account.incident(incident).status == "resolved"


async def test_another_service_acts_with_the_typed_client(system: System) -> None:
    incident = await system.page()
    key = system.headers["Authorization"].removeprefix("Bearer ")
    issue_id = system.ref(incident).issue_id
    async with served(system) as url, ToolClient(url, key) as calmo:
        done = await calmo.act(issue_id, Action.RESOLVE, {"resolution": "Fixed."}, idempotency_key="r1")
        again = await calmo.act(issue_id, Action.RESOLVE, {"resolution": "Fixed."}, idempotency_key="r1")
        assert done.call_id == again.call_id
        with pytest.raises(ToolProblem, match="it is resolved already") as refused:
            await calmo.act(issue_id, Action.RESOLVE)
        assert refused.value.status == 409
    assert system.account.incident(incident).status == "resolved"
