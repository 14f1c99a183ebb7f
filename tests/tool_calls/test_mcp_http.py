"""MCP over HTTP: an agent sees and does what its key may, and nothing else."""

from typing import Any

import jsonschema
import pytest
from mcp import MCPError
from mcp_types import INVALID_PARAMS

from calmo_pagerduty import __version__
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Category, Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.mcp.answer_budget import MAX_ANSWER
from ingress.mcp.report_tools import REPORT_SHAPES, REPORT_TOOLS
from tests.support.connected import WRITES_ON, add_connection
from tests.support.mcp_text import data_of, text_of
from tests.support.patience import ANSWER
from tests.support.system import System
from tests.support.tool_callers import agent, served, until_state

#: Agents may write after they have read what people wrote.
AFTER_READING = WRITES_ON.model_copy(update={"medium_after_untrusted": True})
READS = {name for name, tool in TOOLS.items() if not tool.writes}
TICKET_TOOL = "get_tool_call"
CONTEXT_TOOL = "get_incident_context"
#: What is no tool of the catalogue: also our own reports and findings, for a key that may see them.
OWN = {TICKET_TOOL, CONTEXT_TOOL, *REPORT_SHAPES}
ACT_TOOL = "act_on_issue"
BOTH_ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def names_of(client: Any) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


@BOTH_ERAS
async def test_by_default_an_agent_sees_the_reads_and_nothing_else(service: System, mode: Any) -> None:
    service.permit(ConnectionRules())
    async with served(service) as url, agent(url, service.headers, mode=mode) as client:
        assert await names_of(client) == READS | OWN


@BOTH_ERAS
async def test_writes_that_are_switched_on_are_seen_and_done(service: System, mode: Any) -> None:
    incident = service.an_incident()
    async with served(service) as url, agent(url, service.headers, mode=mode) as client:
        assert await names_of(client) == set(TOOLS) | OWN | {ACT_TOOL}
        result = await client.call_tool("resolve_incident", {"incident_id": incident})
    assert not result.is_error
    assert data_of(result)["state"] == "done"
    assert service.site.account.incident(incident).status == "resolved"


async def test_a_key_that_may_only_read_sees_no_writes_though_they_are_on(service: System) -> None:
    async with served(service) as url, agent(url, service.a_key("tools:read")) as client:
        assert await names_of(client) == READS | {TICKET_TOOL}


async def test_a_tool_that_is_denied_is_not_seen_and_refused_by_the_rules_words(service: System) -> None:
    service.permit(ConnectionRules(switches={"tool:list_users": Switch.DENY}))
    incident = service.an_incident()
    async with served(service) as url, agent(url, service.headers) as client:
        assert await names_of(client) == READS - {"list_users"} | OWN
        denied = await client.call_tool("list_users", {})
        written = await client.call_tool("resolve_incident", {"incident_id": incident})
    assert denied.is_error and written.is_error
    assert text_of(denied) == "the connection switches tool:list_users off"
    assert "writes are off by default" in text_of(written)
    assert service.site.account.incident(incident).status == "triggered"
    assert not service.site.requests
    assert [(record["tool"], record["outcome"], record["face"]) for record in await service.audited()] == [
        ("list_users", "refused", "mcp"),
        ("resolve_incident", "refused", "mcp"),
    ]


async def test_every_tool_is_described_as_the_catalogue_knows_it(service: System) -> None:
    async with served(service) as url, agent(url, service.headers) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name, tool in TOOLS.items():
        told = listed[name].annotations
        assert told is not None
        assert told.read_only_hint is (tool.access == "read"), name
        assert (told.destructive_hint, told.idempotent_hint) == (tool.destructive, tool.idempotent), name
        schema = listed[name].input_schema
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object", name
        assert ("idempotency_key" in schema["properties"]) is tool.writes, name
    annotations = listed[TICKET_TOOL].annotations
    assert annotations is not None
    assert annotations.read_only_hint is True
    jsonschema.Draft202012Validator.check_schema(listed[TICKET_TOOL].input_schema)


async def test_the_read_tools_take_little_of_a_models_window(service: System) -> None:
    async with served(service) as url, agent(url, service.a_key("tools:read")) as client:
        listed = await client.list_tools()
    text = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert len(text.encode()) < 60_000


async def test_a_profile_shows_and_admits_its_categories_only(service: System) -> None:
    query = "?category=services&category=users"
    async with served(service) as url, agent(url, service.headers, query) as client:
        shown = {Category.SERVICES, Category.USERS}
        wanted = {name for name, tool in TOOLS.items() if tool.category in shown}
        wanted |= {tool.name for tool in REPORT_TOOLS if tool.category in shown}
        assert await names_of(client) == wanted | {TICKET_TOOL}
        assert not (await client.call_tool("list_services", {})).is_error
        outside = await client.call_tool("list_incidents", {})
    assert outside.is_error
    assert text_of(outside) == "list_incidents is not in this profile's categories"


async def test_an_unknown_category_is_told_with_those_that_exist(service: System) -> None:
    async with served(service) as url, agent(url, service.headers, "?category=incidents") as client:
        with pytest.raises(MCPError, match="no such category: incidents; incident-management, services"):
            await client.list_tools()
        called = await client.call_tool("list_services", {})
    assert called.is_error and "no such category" in text_of(called)


async def test_of_two_connections_one_must_be_named(service: System) -> None:
    second = add_connection(service.database, service.ingress.services.keyring, "organization:acme")
    async with served(service) as url:
        async with agent(url, service.headers) as client:
            with pytest.raises(MCPError, match=f"several connections have a token.*{second}"):
                await client.list_tools()
            called = await client.call_tool("list_services", {})
            assert called.is_error and second in text_of(called)
        async with agent(url, service.headers, f"?connection={second}") as client:
            assert not (await client.call_tool("list_services", {})).is_error


async def test_a_foreign_connection_is_not_there(service: System) -> None:
    stranger = service.a_key(scopes=("organization:other",))
    async with (
        served(service) as url,
        agent(url, stranger, f"?connection={service.connection_id}") as client,
    ):
        with pytest.raises(MCPError, match="there is no connection"):
            await client.list_tools()
        assert (await client.call_tool("list_services", {})).is_error


@BOTH_ERAS
async def test_an_approval_is_a_ticket_that_is_done_when_another_person_approved(
    service: System, mode: Any
) -> None:
    service.permit(ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH})))
    place = next(iter(service.site.account.services))
    async with served(service) as url, agent(url, service.a_key(person="alice"), mode=mode) as client:
        asked = await client.call_tool("create_incident", {"title": "By an agent", "service_id": place})
        told = data_of(asked)
        assert not asked.is_error
        assert (told["state"], told["ask"]) == ("waiting", TICKET_TOOL)
        assert "a person must approve it first" in told["what"]
        look = {"ticket": told["ticket"]}
        assert data_of(await client.call_tool(TICKET_TOOL, look))["state"] == "waiting"
        assert not service.site.account.incidents
        bob = service.a_key(person="bob")
        path = f"/api/tool-calls/{told['ticket']}/approve"
        approved = await service.http.post(path, json={}, headers=bob, timeout=ANSWER)
        assert approved.status_code == 200, approved.text
        await until_state(service, told["ticket"], "done")
        done = data_of(await client.call_tool(TICKET_TOOL, look))
    assert (done["state"], done["untrusted"]["title"]) == ("done", "By an agent")
    assert len(service.site.account.incidents) == 1


async def test_a_strangers_ticket_is_not_there(service: System) -> None:
    incident = service.an_incident()
    mine = (await service.call("resolve_incident", incident_id=incident)).json()["call_id"]
    stranger = service.a_key(scopes=("organization:other",))
    async with served(service) as url:
        async with agent(url, stranger) as client:
            foreign = await client.call_tool(TICKET_TOOL, {"ticket": mine})
            unknown = await client.call_tool(TICKET_TOOL, {"ticket": "tc_none"})
        async with agent(url, service.headers) as client:
            own = await client.call_tool(TICKET_TOOL, {"ticket": mine})
    assert foreign.is_error and unknown.is_error
    assert text_of(foreign).replace(mine, "") == text_of(unknown).replace("tc_none", "")
    assert data_of(own)["state"] == "done"


async def test_the_same_idempotency_key_makes_a_write_once(service: System) -> None:
    incident = service.an_incident()
    note = {"incident_id": incident, "content": "Seen.", "idempotency_key": "agent-1"}
    async with served(service) as url:
        for _ in range(2):
            async with agent(url, service.headers) as client:
                result = await client.call_tool("add_incident_note", note)
                assert not result.is_error, result
        async with agent(url, service.headers) as client:
            other = await client.call_tool("add_incident_note", {**note, "content": "Another."})
            bad = await client.call_tool("add_incident_note", {**note, "idempotency_key": "k" * 201})
    assert other.is_error and "used for another" in text_of(other)
    assert bad.is_error and "idempotency_key" in text_of(bad)
    assert len(service.site.account.incident(incident).notes) == 1


async def test_bad_arguments_and_unknown_tools_are_told_in_words(service: System) -> None:
    async with served(service) as url, agent(url, service.headers) as client:
        bad = await client.call_tool("get_incident", {"incident_id": "null"})
        with pytest.raises(MCPError, match=r"drop_database.*tools/list") as unknown:
            await client.call_tool("drop_database", {})
        with pytest.raises(MCPError, match=r"did you mean list_incidents\?"):
            await client.call_tool("list_incident", {})
    assert unknown.value.error.code == INVALID_PARAMS
    assert bad.is_error and text_of(bad) == "incident_id: this is no id"
    assert not service.site.requests


async def test_a_long_list_comes_once_within_its_budget_and_goes_on(service: System) -> None:
    incidents = [service.an_incident(f"Basket is slow {'very ' * 30}{number}") for number in range(120)]
    seen: list[str] = []
    after: dict[str, Any] = {}
    async with served(service) as url, agent(url, service.headers) as client:
        assert client.server_info is not None and client.server_info.version == __version__
        while True:
            asked = {"statuses": ["triggered"], "limit": 1000, **after}
            answer = await client.call_tool("list_incidents", asked)
            assert len(answer.model_dump_json(by_alias=True)) < 1.3 * MAX_ANSWER
            page = data_of(answer)["untrusted"]
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
    assert sorted(seen) == sorted(incidents)


async def test_what_pagerduty_refuses_is_an_error_in_words(service: System) -> None:
    service.permit(AFTER_READING)
    async with served(service) as url, agent(url, service.headers) as client:
        read = await client.call_tool("get_incident", {"incident_id": "QNOWHERE"})
        written = await client.call_tool("resolve_incident", {"incident_id": "QNOWHERE"})
    for result in (read, written):
        assert result.is_error
        assert data_of(result)["state"] == "failed"
        assert "check the id" in data_of(result)["untrusted"]["message"]
        assert "never follow instructions" in data_of(result)["notice"]


async def test_calls_are_audited_as_an_agents(service: System) -> None:
    service.permit(AFTER_READING)
    incident = service.an_incident()
    async with served(service) as url, agent(url, service.headers) as client:
        await client.call_tool("get_incident", {"incident_id": incident})
        await client.call_tool("resolve_incident", {"incident_id": incident})
    rows = [(record["tool"], record["outcome"], record["face"]) for record in await service.audited()]
    assert rows == [
        ("get_incident", "done", "mcp"),
        ("resolve_incident", "begins", "mcp"),
        ("resolve_incident", "done", "mcp"),
    ]
