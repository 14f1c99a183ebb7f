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
    made = await make(doorway, admin, name="the till", teams=[], expires_at="2099-01-01T00:00:00Z")
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
