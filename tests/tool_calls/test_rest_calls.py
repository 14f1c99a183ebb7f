"""Calling tools over REST: reads at once, writes as workflows, each audited, refusals in words."""

from typing import Any

import pytest

from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.connected import add_connection
from tests.support.system import System


@pytest.mark.each_database
async def test_a_read_is_answered_at_once(service: System) -> None:
    incident = service.an_incident("Basket is slow")
    result = await service.done("list_incidents", statuses=["triggered"])
    assert [(row["id"], row["title"]) for row in result["items"]] == [(incident, "Basket is slow")]


@pytest.mark.each_database
async def test_a_write_is_done_by_a_workflow_and_seen_by_reads(service: System) -> None:
    incident = service.an_incident()
    answer = await service.call("resolve_incident", incident_id=incident)
    assert (answer.status_code, answer.json()["state"]) == (200, "done"), answer.text
    assert answer.json()["workflow_id"].startswith("pd-tool:tc_")
    found = await service.done("get_incident", incident_id=incident)
    assert found["status"] == "resolved"


@pytest.mark.each_database
async def test_the_same_idempotency_key_is_the_same_call(service: System) -> None:
    incident = service.an_incident()
    note: dict[str, Any] = {
        "incident_id": incident,
        "content": "Looking into it.",
        "idempotency_key": "note-1",
    }
    first = (await service.call("add_incident_note", **note)).json()
    again = (await service.call("add_incident_note", **note)).json()
    assert first["call_id"] == again["call_id"]
    assert first["result"] == again["result"]
    assert len(service.site.account.incident(incident).notes) == 1


async def test_a_key_that_was_used_for_another_call_is_refused(service: System) -> None:
    incident = service.an_incident()
    await service.call("add_incident_note", incident_id=incident, content="One.", idempotency_key="k")
    other = await service.call("add_incident_note", incident_id=incident, content="Two.", idempotency_key="k")
    assert other.status_code == 409
    assert "used for another" in other.json()["error"]["message"]
    assert len(service.site.account.incident(incident).notes) == 1


async def test_writes_are_off_by_default_and_the_refusal_says_so(service: System) -> None:
    service.permit(ConnectionRules())
    incident = service.an_incident()
    answer = await service.call("resolve_incident", incident_id=incident)
    assert answer.status_code == 403
    assert answer.json()["error"]["rule"] == "default"
    assert "tool:resolve_incident" in answer.json()["error"]["message"]
    assert service.site.account.incident(incident).status == "triggered"


async def test_a_teams_switch_wins_over_the_connections(service: System) -> None:
    switches = {"risk:medium": Switch.ALLOW}
    service.permit(
        ConnectionRules(
            switches=switches, teams={"PWEB": {"tool:resolve_incident": Switch.DENY}}, approve=frozenset()
        )
    )
    incident = service.an_incident()
    of_the_team = service.a_key(person="web", teams=("PWEB",))
    refused = await service.call("resolve_incident", of_the_team, incident_id=incident)
    assert (refused.status_code, refused.json()["error"]["rule"]) == (
        403,
        "the team PWEB tool:resolve_incident",
    )
    assert (await service.call("resolve_incident", incident_id=incident)).status_code == 200


async def test_a_foreign_connection_is_not_there(service: System) -> None:
    foreign = service.a_key(scopes=("organization:other",))
    answer = await service.call("list_incidents", foreign)
    assert answer.status_code == 404
    unknown = await service.call("list_incidents", connection="con_none")
    assert answer.json()["error"]["message"].replace(service.connection_id, "") == unknown.json()["error"][
        "message"
    ].replace("con_none", "")


async def test_the_only_connection_need_not_be_named_and_of_two_one_must(service: System) -> None:
    answer = await service.http.post("/api/tools/list_services", json={}, headers=service.headers)
    assert answer.status_code == 200
    second = add_connection(service.database, service.ingress.services.keyring, "organization:acme")
    answer = await service.http.post("/api/tools/list_services", json={}, headers=service.headers)
    assert answer.status_code == 409
    assert second in answer.json()["error"]["message"]


async def test_bad_arguments_are_named_in_one_message(service: System) -> None:
    answer = await service.call("get_incident", incident_id="null")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "incident_id: this is no id"
    answer = await service.call("get_incident", incident="Q1")
    assert (
        "incident: get_incident has no such argument; it takes: incident_id"
        in answer.json()["error"]["message"]
    )
    assert not service.site.requests


async def test_an_unknown_tool_is_not_there(service: System) -> None:
    answer = await service.call("drop_database")
    assert answer.status_code == 404


async def test_what_pagerduty_refuses_comes_back_in_words(service: System) -> None:
    answer = await service.call("get_incident", incident_id="QNOWHERE")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["type"], error["status"]) == ("NotFound", 404)
    written = await service.call("resolve_incident", incident_id="QNOWHERE")
    assert (written.status_code, written.json()["state"]) == (422, "failed")


async def test_the_cap_of_an_hour_holds(service: System) -> None:
    service.permit(
        ConnectionRules(switches={"risk:medium": Switch.ALLOW}, approve=frozenset(), writes_per_hour=2)
    )
    incident = service.an_incident()
    statuses = [
        (await service.call("add_incident_note", incident_id=incident, content=f"{n}")).status_code
        for n in range(3)
    ]
    assert statuses == [200, 200, 429]
    assert len(service.site.account.incident(incident).notes) == 2
    assert [record["outcome"] for record in await service.audited()][-1] == "cap reached"


@pytest.mark.each_database
async def test_every_call_is_audited_and_the_chain_is_whole(service: System) -> None:
    incident = service.an_incident()
    await service.done("get_incident", incident_id=incident)
    await service.call("resolve_incident", service.a_key("tools:read", person="reader"), incident_id=incident)
    await service.call("resolve_incident", incident_id=incident)
    told = [
        (record["tool"], record["decision"], record["rule"], record["outcome"], record["face"])
        for record in await service.audited()
    ]
    assert told == [
        ("get_incident", "allowed", "default", "done", "rest"),
        ("resolve_incident", "refused", "key tools:write", "refused", "rest"),
        ("resolve_incident", "allowed", "the connection risk:medium", "begins", "rest"),
        ("resolve_incident", "allowed", "the connection risk:medium", "done", "rest"),
    ]
    verified = await service.get("/api/audit/verification")
    assert (verified["whole"], verified["rows"]) == (True, 4)


async def test_the_list_says_what_this_key_may_use(service: System) -> None:
    reader = service.a_key("tools:read")
    tools = (await service.get(f"/api/tools?connection={service.connection_id}", reader))["tools"]
    allowed = {tool["name"] for tool in tools if tool["allowed"]}
    assert allowed == {tool["name"] for tool in tools if tool["access"] == "read"}
    assert all(tool["why"] for tool in tools)


@pytest.mark.each_database
async def test_a_repeated_write_is_one_call_also_with_a_new_key_of_its_owner(service: System) -> None:
    incident = service.an_incident()
    note = {"incident_id": incident, "content": "Once.", "idempotency_key": "note-1"}
    robot, alice = service.a_key(person=""), service.a_key(person="alice")
    for before, after in (
        (robot, await rotated(service, robot)),
        (alice, service.a_key(person="Alice")),
    ):
        first = (await service.call("add_incident_note", before, **note)).json()
        again = (await service.call("add_incident_note", after, **note)).json()
        assert (first["state"], again["call_id"]) == ("done", first["call_id"])
    assert len(service.site.account.incident(incident).notes) == 2
    stranger = await service.call("add_incident_note", service.a_key(person="bob"), **note)
    assert stranger.json()["call_id"] != first["call_id"]
    other = await service.call("add_incident_note", alice, **{**note, "content": "Twice?"})
    assert other.status_code == 409


async def rotated(service: System, key: dict[str, str]) -> dict[str, str]:
    path = f"/api/api-keys/{key['Authorization'].split('_')[1]}/rotate"
    answer = await service.http.post(path, json={"overlap_hours": 1}, headers=service.headers)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}
