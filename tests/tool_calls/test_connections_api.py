"""Connections over REST: tokens in and never out, changes by those who may, a test in words."""

from typing import Any

import pytest

from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.connected import TOKEN
from tests.support.system import System

NEW = {"name": "Ours", "scope": "organization:acme", "region": "simulator", "token": TOKEN}


async def test_a_connection_is_made_with_reads_on_and_writes_off(service: System) -> None:
    made = await service.http.post("/api/connections", json=NEW, headers=service.headers)
    assert made.status_code == 201, made.text
    assert TOKEN not in made.text
    mine = made.json()["id"]
    assert (await service.call("list_services", connection=mine)).status_code == 200
    incident = service.an_incident()
    assert (await service.call("resolve_incident", connection=mine, incident_id=incident)).status_code == 403


async def test_only_administrators_turn_on_writes_of_an_organisation(service: System) -> None:
    service.permit(ConnectionRules())
    path = f"/api/connections/{service.connection_id}"
    member = service.a_key("connections:read", "connections:write", person="member")
    looser = {"rules": {"switches": {"risk:medium": "allow"}}}
    refused = await service.http.patch(path, json=looser, headers=member)
    assert refused.status_code == 403
    assert "administrators" in refused.json()["error"]["message"]
    stricter = {"rules": {"switches": {"category:users": "deny"}}}
    assert (await service.http.patch(path, json=stricter, headers=member)).status_code == 200
    assert (await service.http.patch(path, json=looser, headers=service.headers)).status_code == 200


@pytest.mark.parametrize("field", ["name", "severities", "rules", "context_note"])
async def test_null_is_no_value_of_what_every_connection_has(service: System, field: str) -> None:
    path = f"/api/connections/{service.connection_id}"
    before = await service.get(path)
    refused = await service.http.patch(path, json={field: None}, headers=service.headers)
    assert refused.status_code == 400, refused.text
    assert field in refused.json()["error"]["message"]
    assert await service.get(path) == before


@pytest.mark.parametrize(
    ("method", "more", "body"),
    [
        ("PATCH", "", {"from_address": "somebody.else@example.org"}),
        ("PATCH", "", {"from_address": None}),
        ("PATCH", "", {"context_note": True}),
        ("PATCH", "", {"response_targets": {"escalates_on_miss": True}}),
        ("PATCH", "", {"response_targets": {"escalates_on_miss": False}}),
        ("PATCH", "", {"response_targets": None}),
        ("POST", "/token", {"token": TOKEN, "untested": True}),
        ("DELETE", "", None),
    ],
)
async def test_only_administrators_change_in_whose_name_and_by_itself_an_organisation_writes(
    service: System, method: str, more: str, body: dict[str, Any] | None
) -> None:
    path = f"/api/connections/{service.connection_id}"
    escalating = {"response_targets": {"escalates_on_miss": True, "escalation_level": 2}}
    assert (await service.http.patch(path, json=escalating, headers=service.headers)).status_code == 200
    before = await service.get(path)
    member = service.a_key("connections:read", "connections:write", person="member")
    refused = await service.http.request(method, f"{path}{more}", json=body, headers=member)
    assert refused.status_code == 403, refused.text
    assert "administrators" in refused.json()["error"]["message"]
    assert await service.get(path) == before
    done = await service.http.request(method, f"{path}{more}", json=body, headers=service.headers)
    assert done.status_code == 200, done.text


async def test_a_member_still_changes_what_gives_nobody_more(service: System) -> None:
    path = f"/api/connections/{service.connection_id}"
    member = service.a_key("connections:read", "connections:write", person="member")
    for change in ({"name": "Ours"}, {"severities": {"P1": "warning"}}, {"requests_per_minute": 100}):
        assert (await service.http.patch(path, json=change, headers=member)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"severities": {f"P{number}": "info" for number in range(51)}},
        {"rules": {"switches": {f"tool:t{number}": "deny" for number in range(501)}}},
        {"rules": {"teams": {"PT": {f"tool:t{number}": "deny" for number in range(501)}}}},
        {"rules": {"tool_writes_per_hour": {f"t{number}": 1 for number in range(501)}}},
    ],
)
async def test_maps_of_settings_have_a_bound(service: System, change: dict[str, Any]) -> None:
    path = f"/api/connections/{service.connection_id}"
    refused = await service.http.patch(path, json=change, headers=service.headers)
    assert refused.status_code == 400
    assert "at most" in refused.json()["error"]["message"]


async def test_a_personal_connection_is_its_users_to_change(service: System) -> None:
    alice = service.a_key("connections:read", "connections:write", scopes=("personal:alice",), person="alice")
    made = await service.http.post("/api/connections", json={**NEW, "scope": "personal:alice"}, headers=alice)
    path = f"/api/connections/{made.json()['id']}"
    looser = {"rules": {"switches": {"risk:medium": "allow"}}}
    assert (await service.http.patch(path, json=looser, headers=alice)).status_code == 200
    bob = service.a_key(scopes=("personal:bob",), person="bob")
    for method, more in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/token")):
        body = {"token": TOKEN} if more == "/token" else {}
        answer = await service.http.request(
            method, f"{path}{more}", headers=bob, json=None if method in {"GET", "DELETE"} else body
        )
        assert answer.status_code == 404, (method, more)


async def test_the_test_says_in_words_what_the_token_can_do(service: System) -> None:
    path = f"/api/connections/{service.connection_id}/test"
    told = (await service.http.post(path, json={}, headers=service.headers)).json()
    assert told["ok"] is True
    assert "the token is valid" in told["report"]
    assert any("it is the account's" in line for line in told["report"])
    assert any("640 requests a minute" in line for line in told["report"])


async def test_the_test_names_the_tools_that_the_plan_can_not_serve(service: System) -> None:
    service.site.abilities -= {"coordinated_responding", "incident_priorities"}
    path = f"/api/connections/{service.connection_id}/test"
    told = (await service.http.post(path, json={}, headers=service.headers)).json()
    assert "list_priorities" in told["cannot_serve"]
    assert "coordinated_responding" in told["cannot_serve"]["request_responders"]
    refused = await service.call("list_priorities")
    assert refused.status_code in {403, 422}


async def test_a_revoked_token_is_told_of(service: System) -> None:
    service.site.revoke_token(TOKEN)
    path = f"/api/connections/{service.connection_id}/test"
    told = (await service.http.post(path, json={}, headers=service.headers)).json()
    assert told["ok"] is False
    assert "rejects the token" in told["report"][0]


async def test_a_removed_connection_is_gone_and_so_is_its_token(service: System) -> None:
    path = f"/api/connections/{service.connection_id}"
    assert (await service.http.delete(path, headers=service.headers)).status_code == 200
    assert (await service.http.get(path, headers=service.headers)).status_code == 404
    assert (await service.call("list_services")).status_code == 404


async def test_a_switch_about_nothing_is_refused_in_words(service: System) -> None:
    service.permit(ConnectionRules(switches={"risk:low": Switch.ALLOW}))
    path = f"/api/connections/{service.connection_id}"
    answer = await service.http.patch(
        path, json={"rules": {"switches": {"riks:high": "deny"}}}, headers=service.headers
    )
    assert answer.status_code == 400
    assert "tool:NAME" in answer.json()["error"]["message"]
