"""The typed client, as other services of Calmo use it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from calmo_pagerduty.clients.tools import ToolClient, ToolProblem
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from calmo_pagerduty.tools.plans.incident_messages import AddIncidentNote
from calmo_pagerduty.tools.plans.incident_writes import CreateIncident, ResolveIncident
from calmo_pagerduty.tools.plans.incidents import IncidentArguments, ListIncidents
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.connected import add_connection
from tests.support.eventually import eventually
from tests.support.patience import ANSWER
from tests.support.system import System

RISKY = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))


def client_of(url: str, headers: Any, connection: str | None = None) -> ToolClient:
    return ToolClient(url, headers["Authorization"].removeprefix("Bearer "), connection)


@pytest.fixture
async def url(service: System) -> AsyncIterator[str]:
    async with running_server(build_app(service.ingress), "127.0.0.1", 0) as found:
        yield found


@pytest.fixture
async def client(service: System, url: str) -> AsyncIterator[ToolClient]:
    async with client_of(url, service.a_key(person="alice"), service.connection_id) as found:
        yield found


async def decide(service: System, word: str, person: str = "bob") -> None:
    """Decide on the only call that waits."""
    waiting = await eventually(
        lambda: service.get("/api/tool-calls?state=waiting"), lambda listed: bool(listed["calls"])
    )
    path = f"/api/tool-calls/{waiting['calls'][0]['call_id']}/{word}"
    answer = await service.http.post(path, json={}, headers=service.a_key(person=person), timeout=ANSWER)
    assert answer.status_code == 200, answer.text


def new_incident(service: System) -> CreateIncident:
    return CreateIncident(title="By a service", service_id=next(iter(service.site.account.services)))


async def test_a_read_and_a_write(service: System, client: ToolClient) -> None:
    incident = service.an_incident("Basket is slow")
    found = await client.call("list_incidents", ListIncidents(statuses=("triggered",)))
    assert [row["title"] for row in found["items"]] == ["Basket is slow"]
    written = await client.call("resolve_incident", ResolveIncident(incident_id=incident))
    assert written["status"] == "resolved"
    assert service.site.account.incident(incident).status == "resolved"


async def test_the_same_idempotency_key_is_the_same_call(service: System, client: ToolClient) -> None:
    note = AddIncidentNote(incident_id=service.an_incident(), content="Once.")
    first = await client.ask("add_incident_note", note, "k")
    again = await client.ask("add_incident_note", note, "k")
    assert (first.state, first.call_id, first.result) == (CallState.DONE, again.call_id, again.result)
    assert len(service.site.account.incident(note.incident_id).notes) == 1


async def test_a_refusal_names_its_rule(service: System, client: ToolClient) -> None:
    service.permit(ConnectionRules(switches={"tool:resolve_incident": Switch.DENY}))
    with pytest.raises(ToolProblem, match="switches tool:resolve_incident off") as refused:
        await client.call("resolve_incident", ResolveIncident(incident_id=service.an_incident()))
    assert (refused.value.status, refused.value.rule) == (403, "the connection tool:resolve_incident")


async def test_what_pagerduty_refuses_is_told_with_its_status(client: ToolClient) -> None:
    with pytest.raises(ToolProblem, match=r"get_incident failed: .*check the id") as failed:
        await client.call("get_incident", IncidentArguments(incident_id="QNOWHERE"))
    assert failed.value.status == 404


async def test_arguments_of_another_tool_are_refused_before_anybody_is_asked(client: ToolClient) -> None:
    with pytest.raises(ToolProblem, match="are not the arguments of a tool 'list_incidents'"):
        await client.call("list_incidents", IncidentArguments(incident_id="Q1"))
    with pytest.raises(ToolProblem, match="'drop_database'"):
        await client.call("drop_database", IncidentArguments(incident_id="Q1"))


async def test_ask_answers_with_a_ticket_and_look_tells_how_it_stands(
    service: System, client: ToolClient
) -> None:
    service.permit(RISKY)
    asked = await client.ask("create_incident", new_incident(service))
    assert (asked.state, asked.result) == (CallState.WAITING, None)
    assert asked.call_id is not None
    assert (await client.look(asked.call_id)).state is CallState.WAITING
    await decide(service, "approve")
    done = await eventually(
        lambda: client.look(str(asked.call_id)), lambda call: call.state is CallState.DONE
    )
    assert done.result is not None and done.result["title"] == "By a service"


async def test_call_waits_for_the_approval(service: System, client: ToolClient) -> None:
    service.permit(RISKY)
    calling = asyncio.create_task(client.call("create_incident", new_incident(service)))
    await decide(service, "approve")
    assert (await calling)["title"] == "By a service"
    assert len(service.site.account.incidents) == 1


async def test_a_call_that_is_denied_is_a_problem(service: System, client: ToolClient) -> None:
    service.permit(RISKY)
    calling = asyncio.create_task(client.call("create_incident", new_incident(service)))
    await decide(service, "deny")
    with pytest.raises(ToolProblem, match="create_incident denied"):
        await calling
    assert not service.site.account.incidents


async def test_permission_that_is_gone_by_the_time_of_approval_names_its_rule(
    service: System, client: ToolClient
) -> None:
    service.permit(RISKY)
    calling = asyncio.create_task(client.call("create_incident", new_incident(service)))
    await eventually(lambda: service.get("/api/tool-calls?state=waiting"), lambda found: bool(found["calls"]))
    service.permit(ConnectionRules(switches={"tool:create_incident": Switch.DENY}))
    await decide(service, "approve")
    with pytest.raises(ToolProblem, match="create_incident refused") as refused:
        await calling
    assert refused.value.rule == "the connection tool:create_incident"


async def test_a_call_outlives_that_the_service_is_restarted(service: System) -> None:
    service.permit(RISKY)
    app = build_app(service.ingress)
    async with running_server(app, "127.0.0.1", 0) as url:
        client = client_of(url, service.a_key(person="alice"))
        calling = asyncio.create_task(client.call("create_incident", new_incident(service)))
        await eventually(
            lambda: service.get("/api/tool-calls?state=waiting"), lambda found: bool(found["calls"])
        )
    await decide(service, "approve")
    async with client, running_server(app, "127.0.0.1", urlsplit(url).port or 0):
        assert (await calling)["title"] == "By a service"


async def test_of_two_connections_one_must_be_named(service: System, url: str) -> None:
    second = add_connection(service.database, service.ingress.services.keyring, "organization:acme")
    async with client_of(url, service.headers) as client:
        with pytest.raises(ToolProblem, match=f"several connections have a token.*{second}"):
            await client.call("list_incidents", ListIncidents())
    async with client_of(url, service.headers, second) as client:
        assert (await client.call("list_incidents", ListIncidents()))["items"] == []


async def test_a_key_that_is_not_valid_and_a_service_that_is_away_are_told_apart(url: str) -> None:
    async with client_of(url, {"Authorization": "Bearer calmo_nothing"}) as client:
        with pytest.raises(ToolProblem, match="not valid") as refused:
            await client.call("list_incidents", ListIncidents())
    assert refused.value.status == 401
    async with client_of("http://127.0.0.1:1", {"Authorization": "Bearer calmo_nothing"}) as client:
        with pytest.raises(ToolProblem, match="can't be reached") as away:
            await client.call("list_incidents", ListIncidents())
    assert away.value.status is None


async def test_a_ticket_is_a_name_and_not_a_path(client: ToolClient) -> None:
    with pytest.raises(ToolProblem):
        await client.look("../connections")
