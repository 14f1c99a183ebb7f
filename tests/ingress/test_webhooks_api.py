"""Webhooks over REST: the address once, the secret never, changes by those who may."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.token_kinds import Region
from calmo_pagerduty.webhooks.lifecycle import MIN_MAX_SECRETS, SECRET_OVERLAP
from tests.support.builders import an_event, body_of, headers_for, new_id, signature_of
from tests.support.doors import ACME, Doorway, make_key
from tests.support.webhook_desk import OTHER_SECRET, SECRET, a_desk


@pytest.mark.each_database
async def test_the_address_is_shown_once_and_is_masked_ever_after(
    doorway: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="ingress")
    desk = a_desk(doorway)
    made = await desk.make(name="Shop", event_set="essential", service_ids=["PSHOP"])
    assert made["url"].endswith(f"/webhooks/pagerduty/{made['id']}")
    assert any(made["url"] in step for step in made["steps"])
    assert made["state"] == "waiting_for_secret" and made["event_set"] == "essential"
    await desk.done("PUT", made, "/secret", {"secret": SECRET})
    await desk.deliver(made)
    listed = await desk.ask("GET", "")
    shown = await desk.ask("GET", f"/{made['id']}")
    for text in (listed.text, shown.text, caplog.text, *desk.audited()):
        assert made["id"] not in text and SECRET not in text
    assert made["id"][-6:] in listed.text
    assert len(desk.audited()) == 2
    metrics = await doorway.client.get("/metrics", headers=desk.headers)
    assert made["id"] not in metrics.text


async def test_the_short_form_from_the_list_names_it_everywhere(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    [listed] = (await desk.ask("GET", "")).json()["webhooks"]
    assert listed["id"] == f"wh_{made['id'][-6:]}"
    await desk.done("PUT", listed, "/secret", {"secret": SECRET})
    assert await desk.deliver(made) == 202
    assert (await desk.shown(listed))["state"] == "armed"


async def test_a_short_form_that_two_have_is_refused_in_words(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    twin = f"wh_{'q' * 26}{made['id'][-6:]}"
    row = tables.webhooks.insert().values(
        id=twin, connection_id=made["connection_id"], scope=ACME, created_at=datetime.now(UTC)
    )
    doorway.database.write_blocking(lambda t: t.execute(row))
    answer = await desk.ask("GET", f"/wh_{made['id'][-6:]}")
    assert answer.status_code == 409 and "whole id" in answer.text
    assert (await desk.ask("GET", f"/{twin}")).status_code == 200


@pytest.mark.each_database
async def test_it_lives_from_waiting_for_its_secret_to_its_end(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    assert await desk.deliver(made) == 503
    assert (await desk.done("PUT", made, "/secret", {"secret": f" {SECRET}\n"}))["state"] == "unproven"
    assert await desk.deliver(made, OTHER_SECRET) == 503
    assert await desk.deliver(made) == 202
    assert (await desk.shown(made))["state"] == "armed"
    assert (await desk.done("POST", made, "/pause"))["state"] == "paused"
    assert (await desk.done("POST", made, "/pause"))["state"] == "paused"
    assert await desk.deliver(made) == 202
    assert doorway.kept()[-1].state == "skipped_paused"
    assert (await desk.done("POST", made, "/resume"))["state"] == "armed"
    await desk.deliver(made)
    assert doorway.kept()[-1].state == "pending"
    gone = await desk.done("DELETE", made, "")
    assert (gone["state"], gone["has_secret"]) == ("deleted", False)
    assert await desk.deliver(made) == 410
    assert (await desk.ask("GET", "")).json()["webhooks"] == []
    for method, what in (("POST", "/pause"), ("PUT", "/secret"), ("DELETE", ""), ("POST", "/test")):
        body = {"secret": SECRET} if what == "/secret" else {}
        assert (await desk.ask(method, f"/{made['id']}{what}", body)).status_code == 409, what


async def test_a_replaced_secret_counts_for_three_days_more(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    changed = await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET})
    old, new = changed["secrets"]
    left = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=71) < left <= timedelta(hours=72) and new["expires_at"] is None
    assert [await desk.deliver(made, secret) for secret in (SECRET, OTHER_SECRET)] == [202, 202]
    expired = sa.update(tables.webhook_secrets).where(tables.webhook_secrets.c.version == 1)
    moment = datetime.now(UTC) - timedelta(seconds=1)
    doorway.database.write_blocking(lambda t: t.execute(expired.values(expires_at=moment)))
    await desk.done("POST", made, "/resume")
    assert [await desk.deliver(made, secret) for secret in (SECRET, OTHER_SECRET)] == [401, 202]
    await doorway.ingress.webhook_sweeper.sweep_once(datetime.now(UTC))
    kept = sa.select(sa.func.count()).select_from(tables.webhook_secrets)
    assert doorway.database.read_blocking(lambda t: t.execute(kept).scalar()) == 1


async def test_secrets_of_several_subscriptions_are_kept_side_by_side(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET, service_ids=["PONE", "PTWO"])
    added = await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET, "keep_others": True})
    assert [secret["expires_at"] for secret in added["secrets"]] == [None, None]
    assert [await desk.deliver(made, secret) for secret in (SECRET, OTHER_SECRET)] == [202, 202]


@pytest.mark.each_database
async def test_a_webhook_has_few_secrets_and_the_oldest_gives_way(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    for number in range(MIN_MAX_SECRETS):
        body = {"secret": f"{OTHER_SECRET}{number}", "keep_others": True}
        shown = await desk.done("PUT", made, "/secret", body)
    assert [secret["version"] for secret in shown["secrets"]] == list(range(2, MIN_MAX_SECRETS + 2))
    newest = f"{OTHER_SECRET}{MIN_MAX_SECRETS - 1}"
    assert [await desk.deliver(made, secret) for secret in (SECRET, newest)] == [503, 202]


async def test_a_webhook_belongs_to_a_live_connection_and_to_a_chosen_one_of_several(
    doorway: Doorway,
) -> None:
    desk, now = a_desk(doorway), datetime.now(UTC)

    def connect(name: str, removed: datetime | None = None) -> str:
        def insert(tx: sa.Connection) -> str:
            made = connections.insert_connection(tx, name, Scope.parse(ACME), now, Region.US)
            connections.update_connection(tx, made, removed_at=removed)
            return made

        return doorway.database.write_blocking(insert)

    connect("removed", now)
    live = connect("live")
    made = await desk.make()
    assert made["connection_id"] == live
    second = connect("second")
    answer = await desk.ask("POST", "", {"scope": ACME})
    assert (answer.status_code, "--connection" in answer.text) == (409, True)
    assert (await desk.make(connection=second))["connection_id"] == second


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"scope": "nobody"}, 400, "scope"),
        ({"scope": ACME, "event_set": "all"}, 400, "event_set"),
        ({"scope": ACME, "service_ids": ["P1"], "team_ids": ["P2"]}, 400, "not both"),
        ({"scope": ACME, "service_ids": ["not an id"]}, 400, "service_ids"),
        ({"scope": ACME, "secret": "u+AbCdEfGhIjKlMnOpQr"}, 400, "PagerDuty API key"),
        ({"scope": ACME, "connection": "con_none"}, 404, "connection"),
        ({"scope": ACME, "subscribe": True}, 409, "connection"),
        ({"scope": ACME, "nmae": "x"}, 400, "nmae"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    doorway: Doorway, body: dict[str, object], status: int, word: str
) -> None:
    answer = await a_desk(doorway).ask("POST", "", body)
    assert answer.status_code == status, answer.text
    assert word in answer.json()["error"]["message"]
    assert "AbCdEf" not in answer.text


@pytest.mark.each_database
async def test_somebody_elses_webhook_is_not_there(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    every = ("webhooks:read", "webhooks:write")
    stranger = make_key(doorway.database, every, ["organization:other", "personal:acme"])
    for known_as in (made["id"], f"wh_{made['id'][-6:]}"):
        for method, what in (
            ("GET", ""),
            ("DELETE", ""),
            ("PUT", "/secret"),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("POST", "/rotate"),
            ("POST", "/subscription"),
            ("POST", "/validation"),
            ("POST", "/test"),
        ):
            body = {"secret": OTHER_SECRET} if what == "/secret" else {}
            answer = await desk.ask(method, f"/{known_as}{what}", body, stranger)
            assert answer.status_code == 404, (method, what)
            assert made["id"] not in answer.text
    assert (await desk.ask("GET", "", headers=stranger)).json() == {"webhooks": []}
    refused = await desk.ask("POST", "", {"scope": ACME}, stranger)
    assert refused.status_code == 403
    assert (await desk.shown(made))["state"] == "unproven"
    assert len(desk.audited()) == 1


async def test_reading_and_changing_take_a_permission_each(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    reader = make_key(doorway.database, ["webhooks:read"])
    writer = make_key(doorway.database, ["webhooks:write"])
    assert (await desk.ask("GET", f"/{made['id']}", headers=reader)).status_code == 200
    assert (await desk.ask("POST", f"/{made['id']}/pause", {}, reader)).status_code == 403
    assert (await desk.ask("GET", f"/{made['id']}", headers=writer)).status_code == 403
    assert (await desk.ask("POST", f"/{made['id']}/pause", {}, writer)).status_code == 200


async def test_rotation_by_hand_says_what_to_do(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    answer = await desk.ask("POST", f"/{made['id']}/rotate", {})
    assert answer.status_code == 409
    assert "set-secret" in answer.text and made["id"] not in answer.text


async def _rotate_under_load(doorway: Doorway, seconds: float) -> tuple[int, int]:
    """Deliver 100 a second, signed by the old, then both, then the new secret; return (sent, refused)."""
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    total = round(seconds * 100)
    rotated = asyncio.Event()
    begun = asyncio.get_running_loop().time()

    async def deliver(number: int) -> int:
        await asyncio.sleep(begun + number / 100 - asyncio.get_running_loop().time())
        body = body_of(an_event(EventType.TRIGGERED, new_id()))
        signatures = [signature_of(body, SECRET.encode())]
        if number >= total // 3 and rotated.is_set():
            signatures.append(signature_of(body, OTHER_SECRET.encode()))
        if number >= 2 * total // 3:
            await rotated.wait()
            signatures = [signature_of(body, OTHER_SECRET.encode())]
        headers = headers_for(body) | {"X-PagerDuty-Signature": ",".join(signatures)}
        return (await doorway.post(made["id"], body, headers)).status_code

    async def rotate() -> None:
        await asyncio.sleep(seconds / 4)
        await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET})
        rotated.set()

    statuses, _ = await asyncio.gather(
        asyncio.gather(*(deliver(number) for number in range(total))), rotate()
    )
    return len(statuses), sum(status != 202 for status in statuses)


async def test_a_rotation_under_load_refuses_nothing(doorway: Doorway) -> None:
    assert await _rotate_under_load(doorway, 2) == (200, 0)
    assert len(doorway.kept()) == 200


@pytest.mark.torture
async def test_a_rotation_under_long_load_refuses_nothing(doorway: Doorway) -> None:
    assert await _rotate_under_load(doorway, 30) == (3000, 0)


async def test_the_keeper_leaves_alone_what_is_live(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET})
    await doorway.ingress.webhook_sweeper.sweep_once(datetime.now(UTC))
    assert [await desk.deliver(made, secret) for secret in (SECRET, OTHER_SECRET)] == [202, 202]
    later = datetime.now(UTC) + SECRET_OVERLAP
    await doorway.ingress.webhook_sweeper.sweep_once(later)
    assert len((await desk.shown(made))["secrets"]) == 1


async def test_the_audit_says_who_did_what_to_which_webhook(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    await desk.done("PUT", made, "/secret", {"secret": SECRET})
    await desk.done("POST", made, "/pause")
    await desk.done("DELETE", made, "")
    records = [json.loads(line) for line in desk.audited()]
    assert [record["outcome"] for record in records] == [
        "webhook created",
        "webhook secret set",
        "webhook paused",
        "webhook deleted",
    ]
    assert {record["webhook"] for record in records} == {f"wh_{made['id'][-6:]}"}
    assert {record["requester"] for record in records} == {"test"}
