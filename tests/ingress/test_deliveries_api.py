"""The delivery log over REST: what is told, to whom, and what is masked."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import StoreUnavailable
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from tests.support.builders import an_event, headers_for, new_id
from tests.support.doors import Doorway, make_key, rows, save_pending

READ, BODY, WRITE = "deliveries:read", "deliveries:body", "webhooks:write"
CANARY = "canary.robin@shop.example.org"


async def get(doorway: Doorway, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Any:
    answer = await ask(doorway, path, headers, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(
    doorway: Doorway, path: str, headers: Mapping[str, str] | None = None, **query: Any
) -> httpx.Response:
    return await doorway.client.get(
        path, params=query or None, headers=headers or make_key(doorway.database, [READ])
    )


async def deliver(doorway: Doorway, webhook: str, title: str = "Basket is slow") -> str:
    incident = new_id()
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, incident, title=title))
    return incident


@pytest.mark.each_database
async def test_a_delivery_is_told_with_what_became_of_it(doorway: Doorway) -> None:
    webhook, incident = doorway.a_webhook(), new_id()
    payload = an_event(EventType.TRIGGERED, incident)
    for _ in range(3):
        await doorway.deliver(webhook, payload)
    save_pending(doorway.database)
    [delivery] = (await get(doorway, "/api/deliveries"))["deliveries"]
    assert (delivery["verdict"], delivery["state"], delivery["duplicates"]) == ("accepted", "forwarded", 2)
    assert (delivery["event_type"], delivery["incident_id"]) == ("incident.triggered", incident)
    assert delivery["effect"]["action"] == "create"
    assert delivery["effect"]["moved"] is True
    assert delivery["effect"]["issue_id"].startswith("iss_")
    assert (delivery["scope"], delivery["webhook"]) == ("organization:acme", webhook_handle(webhook))
    assert delivery["body_bytes"] == len(json.dumps(payload))
    assert "body" not in delivery


async def test_filters_and_pages_work_together(doorway: Doorway) -> None:
    webhook, paused = doorway.a_webhook(), doorway.a_webhook(paused_at=datetime.now(UTC))
    incidents = [await deliver(doorway, webhook) for _ in range(5)]
    held = await deliver(doorway, paused)
    walked: list[str] = []
    query: dict[str, Any] = {"webhook": webhook, "limit": 2}
    while True:
        page = await get(doorway, "/api/deliveries", **query)
        walked += [delivery["incident_id"] for delivery in page["deliveries"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert walked == incidents[::-1]
    [skipped] = (await get(doorway, "/api/deliveries", state="skipped_paused"))["deliveries"]
    assert skipped["incident_id"] == held
    both = await get(doorway, "/api/deliveries", incident=[incidents[0], held])
    assert [delivery["incident_id"] for delivery in both["deliveries"]] == [held, incidents[0]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "cursor=x",
        "cursor=é",
        "cursor=LTE",
        "state=lost",
        "verdict=x",
        "remark=x",
        "since=yesterday",
        "since=2026-06-01T00:00:00",
        "webhook=%00",
        "unknown=1",
    ],
)
async def test_a_wrong_parameter_is_named(doorway: Doorway, query: str) -> None:
    answer = await ask(doorway, f"/api/deliveries?{query}")
    assert answer.status_code == 400, answer.text
    assert query.partition("=")[0] in answer.json()["error"]["message"]


@pytest.mark.each_database
async def test_the_body_is_for_who_may_see_it_and_masked_even_then(doorway: Doorway) -> None:
    await deliver(doorway, doorway.a_webhook(), title=f"Basket is slow, ask {CANARY}")
    [delivery] = doorway.kept()
    path = f"/api/deliveries/{delivery.seq}"
    plain = await get(doorway, path)
    assert plain["body"] is None
    assert "deliveries:body" in plain["body_missing"]
    for permission in (BODY, WRITE):
        shown = await get(doorway, path, make_key(doorway.database, [READ, permission]))
        assert shown["body_missing"] is None
        assert json.loads(shown["body"])["event"]["data"]["title"] == "Basket is slow, ask ***"
        assert CANARY not in json.dumps(shown)
    doorway.database.write_blocking(lambda t: t.execute(tables.delivery_bodies.delete()))
    gone = await get(doorway, path, make_key(doorway.database, [READ, BODY]))
    assert gone["body"] is None
    assert "deleted" in gone["body_missing"]


async def test_a_dead_letter_is_shown_as_the_text_that_it_is(doorway: Doorway) -> None:
    body = b"{not json " + CANARY.encode() + b"\xff"
    await doorway.post(doorway.a_webhook(), body, headers_for(body))
    key = make_key(doorway.database, [READ, BODY])
    [delivery] = (await get(doorway, "/api/deliveries", key, state="dead_letter"))["deliveries"]
    assert delivery["reason"] == "the body is not JSON"
    shown = await get(doorway, f"/api/deliveries/{delivery['seq']}", key)
    assert shown["body"] == "{not json ***\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("seq", ["0", "-1", "x", "99999", "9" * 40, "1%00"])
async def test_a_number_that_is_none_is_not_found(doorway: Doorway, seq: str) -> None:
    assert (await ask(doorway, f"/api/deliveries/{seq}")).status_code == 404


@pytest.mark.each_database
async def test_the_export_holds_every_delivery_once_a_line_each(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.deliveries.endpoints.EXPORT_BATCH_SIZE", 3)
    webhook = doorway.a_webhook()
    incidents = [await deliver(doorway, webhook, CANARY) for _ in range(7)]
    answer = await ask(doorway, "/api/deliveries/export", webhook=webhook)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["incident_id"] for line in lines] == incidents[::-1]
    assert CANARY not in answer.text
    assert (await ask(doorway, "/api/deliveries/export", state="conflict")).text == ""


async def test_an_export_of_a_database_that_is_away_is_answered_503(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(doorway.database, [READ])

    def away(*_given: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr("ingress.deliveries.endpoints.delivery_queries.list_deliveries", away)
    assert (await ask(doorway, "/api/deliveries/export", key)).status_code == 503


@pytest.mark.each_database
async def test_refusals_are_told_without_their_bodies(doorway: Doorway) -> None:
    webhook, body = doorway.a_webhook(), f'{{"title": "{CANARY}"}}'.encode()
    await doorway.post(webhook, body, headers_for(body, b"another-secret"))
    await doorway.post(webhook, body, {})
    found = await get(doorway, "/api/refusals")
    assert [(refusal["verdict"], refusal["status"], refusal["reason"]) for refusal in found["refusals"]] == [
        ("missing", 401, "missing"),
        ("mismatch", 401, "mismatch"),
    ]
    assert {refusal["body_bytes"] for refusal in found["refusals"]} == {len(body)}
    assert CANARY not in json.dumps(found)
    first = await get(doorway, "/api/refusals", limit=1)
    rest = await get(doorway, "/api/refusals", limit=1, cursor=first["next_cursor"])
    assert [refusal["verdict"] for refusal in rest["refusals"]] == ["mismatch"]
    assert rest["next_cursor"] is None
    for known_as in (webhook, webhook_handle(webhook)):
        only = await get(doorway, "/api/refusals", verdict="mismatch", webhook=known_as)
        assert len(only["refusals"]) == 1
    assert webhook not in json.dumps(found), "a webhook's whole id is the key to its address"


@pytest.mark.each_database
async def test_a_foreign_delivery_is_as_if_it_were_not_there(doorway: Doorway) -> None:
    mine, theirs = doorway.a_webhook(scope="organization:shop"), doorway.a_webhook(scope="organization:bank")
    for webhook in (mine, theirs):
        await deliver(doorway, webhook)
        await doorway.post(webhook, b"x", {})
    shop = make_key(doorway.database, [READ, BODY, WRITE], ["organization:shop"])
    [seen] = (await get(doorway, "/api/deliveries", shop))["deliveries"]
    assert seen["webhook"] == webhook_handle(mine)
    exported = await ask(doorway, "/api/deliveries/export", shop)
    assert webhook_handle(mine) in exported.text
    assert webhook_handle(theirs) not in exported.text
    [refusal] = (await get(doorway, "/api/refusals", shop))["refusals"]
    assert refusal["webhook"] == webhook_handle(mine)
    [foreign] = [row.seq for row in doorway.kept() if row.webhook_id == theirs]
    assert (await ask(doorway, f"/api/deliveries/{foreign}", shop)).status_code == 404
    said = await doorway.client.post("/api/deliveries/replay", json={"seqs": [foreign]}, headers=shop)
    assert said.json() == {"replayed": 0, "left": {}, "last_seq": None, "more": False}
    assert len(rows(doorway.database, tables.audit)) == 0


@pytest.mark.parametrize("path", ["/api/deliveries", "/api/refusals"])
async def test_a_number_is_no_date_and_an_empty_cursor_is_the_beginning(doorway: Doorway, path: str) -> None:
    for wrong in ("0.5", "1e3", "1999-01-01T00:00:00Z", "9999-01-01T00:00:00Z"):
        answer = await ask(doorway, path, until=wrong)
        assert answer.status_code == 400 and "until" in answer.json()["error"]["message"], wrong
    assert (await ask(doorway, path, cursor="")).status_code == 200


async def test_a_wrong_method_is_told_all_that_a_path_takes(doorway: Doorway) -> None:
    answer = await doorway.client.put("/api/connections")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
