"""From asking for a context to reading it, with everything real but PagerDuty: gathered, followed, shown."""

import json
from collections.abc import AsyncIterator

import pytest

from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.sources import Source
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.gathering import gathering_system
from tests.support.mcp_text import data_of
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.pictures import parsed_picture
from tests.support.system import System
from tests.support.terminal import Terminal
from tests.support.tool_callers import agent, served

INJECTION = "Checkout API: <b>latency</b> [click](https://evil.example) above 900 ms"


@pytest.fixture
async def gathering(parts: Parts) -> AsyncIterator[System]:
    async with gathering_system(parts) as found:
        yield found


async def test_an_incident_is_asked_for_followed_and_read_in_every_form(gathering: System) -> None:
    ref = gathering.trigger(INJECTION)
    http, headers = gathering.http, gathering.headers
    body = {"connection": ref.connection_id, "reason": "a test"}
    begun = (await http.post(f"/api/incidents/{ref.incident_id}/context", json=body, headers=headers)).json()
    stream = await http.get(begun["links"]["progress"], headers=headers, timeout=ANSWER)
    events = [line.partition(": ")[2] for line in stream.text.splitlines() if line.startswith("event:")]
    assert events == ["source"] * len(Source) + ["complete"]
    answer = await http.get(begun["links"]["context"], headers=headers)
    context = IncidentContext.model_validate(answer.json())
    assert (context.version, context.reasons) == (begun["version"], ("a test",))
    assert context.assessment.incident.title.text == INJECTION
    page = (await http.get(begun["links"]["page"], headers=headers)).text
    assert f"`{INJECTION}`" in page and page.count("evil.example") == page.count(f"`{INJECTION}`")
    picture = (await http.get(begun["links"]["picture"], headers=headers)).text
    names = {element.text for element in parsed_picture(picture).iter("{http://www.w3.org/2000/svg}text")}
    assert {"Checkout API", "Order database", "this incident"} <= names
    async with served(gathering) as url, agent(url, headers) as client:
        told = data_of(await client.call_tool("get_incident_context", {"incident": ref.incident_id}))
    assert told["state"] == "done" and told["untrusted"]["incident"]["name"] == INJECTION
    assert "evil.example" not in json.dumps(
        {name: part for name, part in told.items() if name != "untrusted"}
    )


async def test_a_responder_has_one_gathered_and_reads_it(gathering: System) -> None:
    ref = gathering.trigger()
    async with running_server(build_app(gathering.ingress), "127.0.0.1", 0) as url:
        terminal = Terminal(url, gathering)
        connection = ("--connection", ref.connection_id)
        said = await terminal.run("context", ref.incident_id, *connection, "--refresh", "--wait")
        assert said.code == 0, said.error
        for words in ("Checkout API: latency above 900 ms", "Probable causes", "Order database", "On call"):
            assert words in said.text
        assert sum(line.startswith("✓") for line in said.error.splitlines()) == len(Source)
        again = await terminal.run("context", ref.incident_id, *connection, "--refresh", "--wait", "--json")
        assert again.json["version"] == 2
