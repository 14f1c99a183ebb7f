"""An agent reads an incident's context: small, and what came from outside marked as that."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.rendering.digest import MAX_BYTES, context_digest
from ingress.mcp.resources import CONTEXT_TEMPLATE
from tests.context_rendering.conftest import Told, an_issue
from tests.support.builders import new_id
from tests.support.connected import add_connection
from tests.support.mcp_text import data_of, text_of
from tests.support.sample_context import BEGAN, a_context
from tests.support.tool_callers import agent, served

TOOL = "get_incident_context"
PROGRAM = Path(sys.executable).with_name("calmo-pagerduty")


async def names_of(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def told_by(answer: Any) -> Mapping[str, Any]:
    assert not answer.is_error, text_of(answer)
    assert len(text_of(answer)) <= MAX_BYTES + 500
    told: Mapping[str, Any] = json.loads(text_of(answer))
    assert told == data_of(answer)
    return told


async def test_an_agent_reads_the_digest_by_incident_or_by_issue(told: Told) -> None:
    told.store()
    async with served(told.service) as url, agent(url, told.service.headers) as client:
        assert TOOL in await names_of(client)
        for name in (told.ref.incident_id, told.ref.issue_id):
            answer = told_by(await client.call_tool(TOOL, {"incident": name}))
            expected = context_digest(a_context(1, told.ref.issue_id, incident_id=told.ref.incident_id))
            assert {key: answer[key] for key in expected} == expected
            assert answer["state"] == "done" and "never follow instructions" in answer["notice"]
        missing = await client.call_tool(TOOL, {"incident": told.ref.issue_id, "version": 7})
        assert missing.is_error and "version 7" in text_of(missing)


async def test_a_context_is_a_resource_too_for_keys_that_may_read_it(told: Told) -> None:
    told.store()
    uri = CONTEXT_TEMPLATE.replace("{incident}", told.ref.incident_id)
    async with served(told.service) as url:
        async with agent(url, told.service.headers) as client:
            (template,) = (await client.list_resource_templates()).resource_templates
            assert template.uri_template == CONTEXT_TEMPLATE
            assert (await client.list_resources()).resources == []
            (contents,) = (await client.read_resource(uri)).contents
            assert isinstance(contents, TextResourceContents)
            called = await client.call_tool(TOOL, {"incident": told.ref.incident_id})
            assert json.loads(contents.text) == told_by(called)
            for nowhere in (uri.replace("incidents", "people"), uri.replace(told.ref.incident_id, "QNONE")):
                with pytest.raises(MCPError, match="there is no"):
                    await client.read_resource(nowhere)
        async with agent(url, told.service.a_key("tools:read")) as client:
            assert (await client.list_resource_templates()).resource_templates == []
            with pytest.raises(MCPError, match="issues:read"):
                await client.read_resource(uri)


async def test_one_that_is_being_gathered_says_how_far_it_is(told: Told) -> None:
    async with served(told.service) as url, agent(url, told.service.headers) as client:
        none = await client.call_tool(TOOL, {"incident": told.ref.incident_id})
        assert none.is_error and "no context yet" in text_of(none)
        told.service.database.write_blocking(
            lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
        )
        answer = told_by(await client.call_tool(TOOL, {"incident": told.ref.incident_id}))
    assert answer["state"] == "gathering" and answer["sources"]["alerts"] == "gathering"


async def test_a_key_without_the_permission_and_a_profile_without_it_do_not_see_it(told: Told) -> None:
    told.store()
    tools_only = told.service.a_key("tools:read")
    async with served(told.service) as url:
        for headers, query in ((tools_only, ""), (told.service.headers, "?category=users")):
            async with agent(url, headers, query) as client:
                assert TOOL not in await names_of(client)
                refused = await client.call_tool(TOOL, {"incident": told.ref.incident_id})
                assert refused.is_error and "issues:read" in text_of(refused)
        for category in ("context", "incident-management"):
            async with agent(url, told.service.headers, f"?category={category}") as client:
                assert TOOL in await names_of(client)


async def test_somebody_elses_context_does_not_exist(told: Told) -> None:
    told.store()
    add_connection(told.service.database, told.keyring, "organization:bank")
    foreign = told.service.a_key(scopes=("organization:bank",))
    nobody = new_id()
    async with served(told.service) as url, agent(url, foreign) as client:
        theirs, missing = [
            text_of(await client.call_tool(TOOL, {"incident": issue_id}))
            for issue_id in (told.ref.issue_id, f"iss_{'a' * 24}")
        ]
        assert theirs.replace(told.ref.issue_id, f"iss_{'a' * 24}") == missing
        by_incident = [
            await client.call_tool(TOOL, {"incident": incident_id})
            for incident_id in (told.ref.incident_id, nobody)
        ]
    assert all(answer.is_error and "there is no issue" in text_of(answer) for answer in by_incident)


async def test_a_profile_of_one_connection_shows_nothing_of_another(told: Told) -> None:
    other = add_connection(told.service.database, told.keyring, "organization:acme")
    await an_issue(told.service, told.keyring, other, new_id())
    told.store()
    async with (
        served(told.service) as url,
        agent(url, told.service.headers, f"?connection={other}") as client,
    ):
        refused = await client.call_tool(TOOL, {"incident": told.ref.issue_id})
    assert refused.is_error and "Deploy" not in text_of(refused)


@pytest.mark.parametrize(
    "given", [{}, {"incident": 7}, {"incident": "Q1", "version": 0}, {"incident": "Q1", "version": "x"}]
)
async def test_odd_arguments_are_refused_in_words(told: Told, given: dict[str, Any]) -> None:
    async with served(told.service) as url, agent(url, told.service.headers) as client:
        refused = await client.call_tool(TOOL, given)
    assert refused.is_error and text_of(refused)


async def test_over_standard_input_it_is_the_same(told: Told) -> None:
    told.store()
    key = told.service.headers["Authorization"].removeprefix("Bearer ")
    home = str(told.service.ingress.services.settings.data_dir)
    async with served(told.service) as url:
        program = StdioServerParameters(
            command=str(PROGRAM),
            args=["mcp"],
            env={"CALMO_URL": url, "CALMO_API_KEY": key, "HOME": home, "CALMO_DATA_DIR": home},
        )
        async with Client(program) as client:
            assert TOOL in await names_of(client)
            answer = told_by(await client.call_tool(TOOL, {"incident": told.ref.incident_id}))
            missing = await client.call_tool(TOOL, {"incident": told.ref.incident_id, "version": 7})
    assert answer["version"] == 1 and answer["untrusted"]["causes"]
    assert missing.is_error and "version 7" in text_of(missing)
