"""Connections over REST: tokens in and never out, changes by those who may, a test in words."""

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
