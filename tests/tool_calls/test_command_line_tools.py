"""The tools on the command line: what a person at a terminal sees, and what a script gets."""

import json
from collections.abc import AsyncIterator

import pytest

from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.system import System
from tests.support.terminal import Terminal

RISKY = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))


@pytest.fixture
async def terminal(service: System) -> AsyncIterator[Terminal]:
    async with running_server(build_app(service.ingress), "127.0.0.1", 0) as url:
        yield Terminal(url, service)


async def test_the_list_is_readable_and_says_what_this_key_may_use(
    terminal: Terminal, service: System
) -> None:
    service.permit(RISKY)
    listed = await terminal.run("tool", "list", "--connection", service.connection_id, columns="80")
    rows = {cells[0]: cells for line in listed.text.splitlines() if (cells := line.split())}
    for name, tool in TOOLS.items():
        assert rows[name][1:3] == [tool.access, tool.risk], name
        assert tool.category in rows
    assert rows["list_incidents"][3] == "yes"
    assert rows["resolve_incident"][3] == "no"
    assert rows["create_incident"][3] == "approval"


async def test_the_list_of_one_category_as_json(terminal: Terminal) -> None:
    listed = (await terminal.run("tool", "list", "--category", "services", "--json")).json["tools"]
    assert {tool["category"] for tool in listed} == {"services"}


async def test_a_read_is_shown_as_a_table_and_ends_with_0(terminal: Terminal, service: System) -> None:
    incident = service.an_incident("Basket is slow")
    shown = await terminal.run("tool", "call", "list_incidents", "statuses=triggered,acknowledged", "limit=5")
    assert shown.code == 0
    assert incident in shown.text and "Basket is slow" in shown.text


async def test_arguments_are_read_by_the_tools_schema(terminal: Terminal, service: System) -> None:
    service.an_incident()
    pairs = ('statuses=["resolved"]', "limit=1")
    found = await terminal.run("tool", "call", "list_incidents", *pairs, "--json")
    assert (found.code, found.json["state"], found.json["result"]["items"]) == (0, "done", [])


async def test_arguments_come_from_standard_input_too(terminal: Terminal, service: System) -> None:
    incident = service.an_incident()
    arguments = json.dumps({"incident_id": incident, "content": "Said by a script."})
    done = await terminal.run("tool", "call", "add_incident_note", "--arguments-stdin", said=arguments)
    assert done.code == 0, done.error
    [note] = service.site.account.incident(incident).notes
    assert note.content.startswith("Said by a script.")


async def test_the_same_key_is_the_same_call(terminal: Terminal, service: System) -> None:
    incident = service.an_incident()
    for _ in range(2):
        done = await terminal.run(
            "tool", "call", "add_incident_note", f"incident_id={incident}", "content=Seen=yes", "--key", "k1"
        )
        assert done.code == 0, done.error
    [note] = service.site.account.incident(incident).notes
    assert note.content.startswith("Seen=yes")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["get_incident", "incident_id=null"], "incident_id: this is no id"),
        (["get_incident", "incident_id"], "'incident_id': an argument is NAME=VALUE"),
        (["list_incidents", "limit=many"], "limit: 'many' is not of type integer"),
        (["drop_database"], "there is no tool 'drop_database'"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    terminal: Terminal, arguments: list[str], named: str
) -> None:
    failed = await terminal.run("tool", "call", *arguments)
    assert failed.code == 1
    assert failed.text == ""
    assert len(failed.error.splitlines()) == 1
    assert named in failed.error


async def test_standard_input_that_is_no_object_is_said_in_one_line(terminal: Terminal) -> None:
    failed = await terminal.run("tool", "call", "list_services", "--arguments-stdin", said="{")
    assert failed.code == 1
    assert len(failed.error.splitlines()) == 1
    assert "standard input" in failed.error


async def test_what_pagerduty_refuses_ends_with_1(terminal: Terminal) -> None:
    failed = await terminal.run("tool", "call", "resolve_incident", "incident_id=QNOWHERE")
    assert failed.code == 1
    assert "failed" in failed.text and "check the id" in failed.text


async def test_a_refusal_names_its_rule_and_ends_with_1(terminal: Terminal, service: System) -> None:
    service.permit(ConnectionRules())
    refused = await terminal.run("tool", "call", "resolve_incident", "incident_id=Q1")
    assert refused.code == 1
    assert "writes are off by default" in refused.error
    assert [record["face"] for record in await service.audited()] == ["cli"]


async def test_a_ticket_ends_with_3_and_is_approved_by_another_person(
    terminal: Terminal, service: System
) -> None:
    service.permit(RISKY)
    place = next(iter(service.site.account.services))
    alice, bob = service.a_key(person="alice"), service.a_key(person="bob")
    create = ("tool", "call", "create_incident", "title=By hand", f"service_id={place}", "--json")
    asked = await terminal.run(*create, headers=alice)
    assert (asked.code, asked.json["state"]) == (3, "waiting")
    ticket = asked.json["call_id"]
    waiting = await terminal.run("tool", "show", ticket)
    assert f"calmo-pagerduty tool approve {ticket}" in waiting.text
    assert "By hand" in waiting.text
    sha256 = asked.json["arguments_sha256"]
    approved = await terminal.run("tool", "approve", ticket, "--arguments-sha256", sha256, headers=bob)
    assert approved.code == 0, approved.error
    again = (await service.call("create_incident", alice, title="Again", service_id=place)).json()
    denied = await terminal.run("tool", "deny", again["call_id"], "--json", headers=bob)
    assert denied.json["state"] == "denied"
    shown = await terminal.run("tool", "calls", "--state", "denied")
    assert again["call_id"] in shown.text and ticket not in shown.text


async def test_a_ticket_that_is_not_there_is_said_in_one_line(terminal: Terminal) -> None:
    for command, ticket in (("show", "tc_none"), ("approve", "../connections")):
        failed = await terminal.run("tool", command, ticket)
        assert failed.code == 1, (command, ticket)
        assert len(failed.error.splitlines()) == 1
        assert "404" in failed.error, (command, ticket)


async def test_control_characters_from_pagerduty_never_reach_the_terminal(
    terminal: Terminal, service: System
) -> None:
    evil = "A\x1b]0;owned\x07B\x1b[2JC\u202eD\u200bE\x9bF\rG\x08H"
    incident = service.an_incident(evil)
    service.site.account.annotate(incident, evil)
    for arguments in (
        ["get_incident", f"incident_id={incident}"],
        ["list_incident_notes", f"incident_id={incident}"],
        ["list_incident_notes", f"incident_id={incident}", "--json"],
    ):
        shown = await terminal.run("tool", "call", *arguments)
        assert shown.code == 0, shown.error
        assert not set(shown.text) & set("\x1b\x07\u202e\u200b\x9b\r\x08"), arguments
        assert "--json" in arguments or "A]0;ownedB[2JCDEFGH" in shown.text
