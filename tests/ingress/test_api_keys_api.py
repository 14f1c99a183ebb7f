"""API keys over REST: never their secrets, never more than the maker has, and at an end at once."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.access.service_key_store import get_or_insert_service_key
from calmo_pagerduty.db import tables
from calmo_pagerduty.kernel.scopes import Scope
from ingress.api.authentication import revalidate_principal
from tests.support.builders import new_id
from tests.support.doors import Doorway, rows
from tests.support.patience import EVENTUALLY

SHOP, BANK, ROBIN = "organization:shop", "organization:bank", "personal:robin"
ADMIN = ("keys:write", "issues:read", "connections:admin")


def a_key(
    doorway: Doorway,
    permissions: Sequence[str] = ADMIN,
    scopes: Sequence[str] | None = (SHOP, ROBIN),
    person: str = "robin",
    **more: Any,
) -> dict[str, str]:
    seen = None if scopes is None else [Scope.parse(scope) for scope in scopes]
    key = doorway.database.write_blocking(
        lambda t: api_keys.insert_key(t, "test", permissions, seen, datetime.now(UTC), person, **more)
    )
    return {"Authorization": f"Bearer {key}"}


async def make(doorway: Doorway, maker: Mapping[str, str], **body: Any) -> httpx.Response:
    given = {"name": new_id("key-"), "permissions": ["issues:read"], "scopes": [SHOP], **body}
    plain = {name: value for name, value in given.items() if value is not None}
    return await doorway.client.post("/api/api-keys", json=plain, headers=maker)


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


@pytest.mark.each_database
async def test_a_key_is_made_used_listed_and_revoked(doorway: Doorway) -> None:
    admin = a_key(doorway)
    made = await make(doorway, admin, name="the till", expires_at="2099-01-01T00:00:00Z")
    key = bearer(made)
    assert (await doorway.client.get("/api/issues", headers=key)).status_code == 200
    listed = (await doorway.client.get("/api/api-keys", headers=admin)).json()["keys"]
    [mine] = [row for row in listed if row["id"] == made.json()["id"]]
    assert (mine["name"], mine["permissions"], mine["scopes"]) == ("the till", ["issues:read"], [SHOP])
    assert (mine["person"], mine["expires_at"]) == ("robin", "2099-01-01T00:00:00Z")
    revoked = await doorway.client.delete(f"/api/api-keys/{mine['id']}", headers=admin)
    assert revoked.json()["revoked_at"] is not None
    assert (await doorway.client.get("/api/issues", headers=key)).status_code == 401
    again = await doorway.client.delete(f"/api/api-keys/{mine['id']}", headers=admin)
    assert again.json() == revoked.json()
    audited = [json.loads(row.record) for row in rows(doorway.database, tables.audit)]
    assert [(record["outcome"], record["subject_key_id"], record["scope"]) for record in audited] == [
        ("api key made", mine["id"], SHOP),
        ("api key revoked", mine["id"], SHOP),
    ]


@pytest.mark.each_database
async def test_a_secret_is_told_once_and_never_again(doorway: Doorway) -> None:
    admin = a_key(doorway)
    secret = (await make(doorway, admin)).json()["key"].split("_")[2]
    listed = await doorway.client.get("/api/api-keys", headers=admin)
    kept = str(rows(doorway.database, tables.api_keys)) + str(rows(doorway.database, tables.audit))
    assert secret not in listed.text + kept
    assert "sha256" not in listed.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"permissions": ["issues:read", "tools:write"]}, "tools:write"),
        ({"permissions": ["root"]}, "no such permission"),
        ({"scopes": [SHOP, BANK]}, BANK),
        ({"scopes": None}, "name their scopes"),
        ({"teams": ["PTEAM2"]}, "teams"),
    ],
)
async def test_a_key_cannot_give_more_than_it_has(doorway: Doorway, body: dict[str, Any], words: str) -> None:
    answer = await make(doorway, a_key(doorway, teams=("PTEAM1",)), **body)
    assert answer.status_code == 403
    assert words in answer.json()["error"]["message"]
    assert len(rows(doorway.database, tables.api_keys)) == 1


async def test_only_administrators_make_keys_of_other_persons(doorway: Doorway) -> None:
    member = a_key(doorway, ("keys:write", "issues:read"))
    assert (await make(doorway, member, person="kim")).status_code == 403
    assert (await make(doorway, member, person="robin")).status_code == 201
    unnamed = await make(doorway, member)
    assert unnamed.json()["person"] == "robin"
    assert (await make(doorway, a_key(doorway), person="kim")).status_code == 201


async def test_a_key_without_a_person_makes_keys_without_one(doorway: Doorway) -> None:
    nameless = a_key(doorway, ("keys:write", "issues:read"), person="")
    assert (await make(doorway, nameless)).json()["person"] is None
    assert (await make(doorway, nameless, person="test")).status_code == 403


async def test_a_person_is_the_same_however_the_name_is_written(doorway: Doorway) -> None:
    made = await make(doorway, a_key(doorway, ("keys:write", "issues:read")), person="  Ｒobin ")
    assert (made.status_code, made.json()["person"]) == (201, "Robin")


async def test_a_new_key_works_for_its_makers_teams_which_may_forbid_something(doorway: Doorway) -> None:
    member = a_key(doorway, ("keys:write", "issues:read"), teams=("PTEAM1",))
    assert (await make(doorway, member)).json()["teams"] == ["PTEAM1"]
    refused = await make(doorway, member, teams=[])
    assert refused.status_code == 403
    assert "teams" in refused.json()["error"]["message"]
    admin = a_key(doorway, teams=("PTEAM1",))
    assert (await make(doorway, admin, teams=[])).json()["teams"] == []


async def revoke(doorway: Doorway, headers: Mapping[str, str], key: Mapping[str, str]) -> httpx.Response:
    return await doorway.client.delete(f"/api/api-keys/{id_of(key)}", headers=headers)


def id_of(headers: Mapping[str, str]) -> str:
    return headers["Authorization"].split("_")[1]


async def test_a_key_can_not_revoke_one_that_may_do_more(doorway: Doorway) -> None:
    member = a_key(doorway, ("keys:write", "issues:read"))
    for stronger in (a_key(doorway), a_key(doorway, ("issues:read",), teams=("PTEAM1",))):
        assert (await revoke(doorway, member, stronger)).status_code == 403
        assert (await doorway.client.get("/api/issues", headers=stronger)).status_code == 200
    weaker = a_key(doorway, ("issues:read",), person="kim")
    assert (await revoke(doorway, member, weaker)).status_code == 200


@pytest.mark.each_database
async def test_revoking_a_key_revokes_all_keys_that_were_made_with_it(doorway: Doorway) -> None:
    admin, leaked = a_key(doorway), a_key(doorway)
    child = bearer(await make(doorway, leaked, permissions=["keys:write", "issues:read"]))
    grandchild = bearer(await make(doorway, child))
    assert (await revoke(doorway, admin, leaked)).status_code == 200
    for key in (leaked, child, grandchild):
        assert (await doorway.client.get("/api/issues", headers=key)).status_code == 401
    assert (await doorway.client.get("/api/issues", headers=admin)).status_code == 200
    audited = [json.loads(row.record) for row in rows(doorway.database, tables.audit)]
    revoked = {row["subject_key_id"]: row.get("with") for row in audited if "revoked" in row["outcome"]}
    assert revoked == {
        id_of(leaked): None,
        id_of(child): id_of(leaked),
        id_of(grandchild): id_of(leaked),
    }


async def test_only_administrators_revoke_the_services_own_keys(doorway: Doorway) -> None:
    shop, now = Scope.parse(SHOP), datetime.now(UTC)
    own = doorway.database.write_blocking(
        lambda t: get_or_insert_service_key(t, "notes", "issues:read", shop, now)
    )
    member = a_key(doorway, ("keys:write", "issues:read"))
    path = f"/api/api-keys/{own}"
    assert (await doorway.client.delete(path, headers=member)).status_code == 403
    assert (await doorway.client.post(f"{path}/rotate", json={}, headers=a_key(doorway))).status_code == 403
    assert (await doorway.client.delete(path, headers=a_key(doorway))).status_code == 200


@pytest.mark.each_database
async def test_a_rotated_key_has_the_same_rights_and_the_old_one_ends(doorway: Doorway) -> None:
    admin, old = a_key(doorway), a_key(doorway, ("issues:read",), [SHOP])
    path = f"/api/api-keys/{id_of(old)}/rotate"
    made = await doorway.client.post(path, json={"overlap_hours": 1}, headers=admin)
    new = bearer(made)
    assert (made.json()["permissions"], made.json()["scopes"]) == (["issues:read"], [SHOP])
    for key in (old, new):
        assert (await doorway.client.get("/api/issues", headers=key)).status_code == 200
    ends = {row.id: row.expires_at for row in rows(doorway.database, tables.api_keys)}
    assert ends[made.json()["id"]] is None
    assert timedelta() < ends[id_of(old)] - datetime.now(UTC) < timedelta(hours=1)
    at_once = await doorway.client.post(
        f"/api/api-keys/{id_of(new)}/rotate", json={"overlap_hours": 0}, headers=admin
    )
    assert (await doorway.client.get("/api/issues", headers=new)).status_code == 401
    again = await doorway.client.post(f"/api/api-keys/{id_of(new)}/rotate", json={}, headers=admin)
    assert (at_once.status_code, again.status_code) == (201, 403)


async def test_the_last_use_of_a_key_is_shown(doorway: Doorway) -> None:
    admin = a_key(doorway)

    async def shown() -> str | None:
        listed = (await doorway.client.get("/api/api-keys", headers=admin)).json()["keys"]
        found: str | None = next(key for key in listed if key["id"] == id_of(other))["last_used_at"]
        return found

    other = a_key(doorway, ("issues:read",), [SHOP])
    assert await shown() is None
    await doorway.client.get("/api/issues", headers=other)
    used_at = await shown()
    assert used_at is not None
    assert abs(datetime.fromisoformat(used_at) - datetime.now(UTC)) < timedelta(minutes=5)
    await doorway.client.get("/api/issues", headers=other)
    assert await shown() == used_at


async def test_a_key_lives_no_longer_than_the_one_that_made_it(doorway: Doorway) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    admin = a_key(doorway, expires_at=ends)
    for asked, given in (
        (None, ends),
        (ends + timedelta(days=1), ends),
        (ends - timedelta(days=1), ends - timedelta(days=1)),
    ):
        made = await make(doorway, admin, expires_at=asked and asked.isoformat())
        assert datetime.fromisoformat(made.json()["expires_at"]) == given


@pytest.mark.each_database
async def test_who_sees_a_key_sees_all_that_the_key_sees(doorway: Doorway) -> None:
    operator = a_key(doorway, ALL_PERMISSIONS, None)
    bank, both = (a_key(doorway, ADMIN, scopes) for scopes in ([BANK], [SHOP, BANK]))
    shop = a_key(doorway, ADMIN, [SHOP])

    async def ids(headers: Mapping[str, str]) -> set[str]:
        answer = await doorway.client.get("/api/api-keys", headers=headers)
        return {key["id"] for key in answer.json()["keys"]}

    def own(headers: Mapping[str, str]) -> str:
        return headers["Authorization"].split("_")[1]

    assert await ids(shop) == {own(shop)}
    assert await ids(both) == {own(shop), own(bank), own(both)}
    assert len(await ids(operator)) == 4
    missing = await doorway.client.delete("/api/api-keys/aaaaaaaaaaaaaaaa", headers=shop)
    for other in (bank, both, operator):
        answer = await doorway.client.delete(f"/api/api-keys/{own(other)}", headers=shop)
        assert answer.status_code == 404
        assert answer.text == missing.text.replace("aaaaaaaaaaaaaaaa", own(other))
    assert len(await ids(operator)) == 4
    assert {row.revoked_at for row in rows(doorway.database, tables.api_keys)} == {None}


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"permissions": []}, {"expires_at": "2099-01-01T00:00:00"}, {"scopes": ["all"]}]
)
async def test_a_wrong_field_is_named(doorway: Doorway, body: dict[str, Any]) -> None:
    assert (await make(doorway, a_key(doorway), **body)).status_code == 400


@pytest.mark.each_database
async def test_a_live_stream_ends_soon_after_its_key_is_revoked(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.incidents.endpoints.KEY_CHECK_SECONDS", 0.05)
    headers = a_key(doorway)
    key_id = headers["Authorization"].split("_")[1]
    caller = doorway.database.read_blocking(lambda t: api_keys.get_principal(t, key_id, datetime.now(UTC)))
    assert caller is not None

    async def listen() -> None:
        async for _ in doorway.ingress.issues._changes(caller, 0):
            pass

    listening = asyncio.create_task(listen())
    done, _ = await asyncio.wait([listening], timeout=0.5)
    assert not done
    doorway.database.write_blocking(lambda t: api_keys.mark_revoked(t, key_id, datetime.now(UTC)))
    await asyncio.wait_for(listening, EVENTUALLY)
    assert doorway.database.read_blocking(revalidate_principal(caller)) is None
