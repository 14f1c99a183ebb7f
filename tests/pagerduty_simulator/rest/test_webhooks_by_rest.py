"""Subscriptions made by REST: their secret, what they deliver, and how they end."""

import json
from typing import Any

import httpx
import pytest

from pagerduty_simulator.signatures import signature_header
from tests.support.rest_account import Api
from tests.support.webhook_receiver import Receiver

ALL = ["incident.triggered", "incident.acknowledged", "incident.annotated"]


async def subscribe(api: Api, url: str, **more: Any) -> httpx.Response:
    body = {"type": "webhook_subscription", "events": ALL, "filter": {"type": "account_reference"}}
    method = {"type": "http_delivery_method", "url": url}
    body |= {"delivery_method": method, "description": "Calmo", **more}
    return await api.send("POST", "/webhook_subscriptions", {"webhook_subscription": body})


async def test_the_secret_is_shown_once_and_signs_what_is_delivered(api: Api, receiver: Receiver) -> None:
    made = (await subscribe(api, receiver.url)).json()["webhook_subscription"]
    secret = made["delivery_method"]["secret"]
    read = (await api.get(f"/webhook_subscriptions/{made['id']}"))["webhook_subscription"]
    assert read["delivery_method"]["secret"] is None
    assert read == made | {"delivery_method": made["delivery_method"] | {"secret": None}}
    incident = await api.incident()
    await api.site.sender.drained()
    (delivered,) = receiver.received
    assert delivered.headers["x-pagerduty-signature"] == signature_header([secret], delivered.body)
    assert delivered.headers["x-webhook-subscription"] == made["id"]
    event = json.loads(delivered.body)["event"]
    assert (event["event_type"], event["data"]["id"]) == ("incident.triggered", incident["id"])
    assert event["agent"]["summary"] == "Ines Albrecht"


async def test_a_ping_goes_to_this_subscription_only(api: Api, receiver: Receiver) -> None:
    first = (await subscribe(api, receiver.url)).json()["webhook_subscription"]
    await subscribe(api, receiver.url)
    response = await api.send("POST", f"/webhook_subscriptions/{first['id']}/ping")
    assert response.status_code == 202
    await api.site.sender.drained()
    (delivered,) = receiver.received
    assert json.loads(delivered.body)["event"]["event_type"] == "pagey.ping"


async def test_a_paused_subscription_is_sent_nothing_and_a_deleted_one_neither(
    api: Api, receiver: Receiver
) -> None:
    made = (await subscribe(api, receiver.url)).json()["webhook_subscription"]
    path = f"/webhook_subscriptions/{made['id']}"
    paused = {"webhook_subscription": {"active": False, "description": "Paused", "events": ALL[:1]}}
    read = (await api.send("PUT", path, paused)).json()["webhook_subscription"]
    assert (read["active"], read["description"], read["events"]) == (False, "Paused", ALL[:1])
    await api.incident()
    await api.send("PUT", path, {"webhook_subscription": {"active": True}})
    assert (await api.send("DELETE", path)).status_code == 204
    await api.incident()
    await api.site.sender.drained()
    assert receiver.received == []
    assert (await api.send("GET", path)).status_code == 404


async def test_a_url_cannot_be_changed(api: Api, receiver: Receiver, unused_url: str) -> None:
    made = (await subscribe(api, receiver.url)).json()["webhook_subscription"]
    elsewhere = {"webhook_subscription": {"delivery_method": {"url": unused_url}}}
    read = await api.send("PUT", f"/webhook_subscriptions/{made['id']}", elsewhere)
    assert read.json()["webhook_subscription"]["delivery_method"]["url"] == receiver.url


async def test_three_refusals_disable_it_and_enable_undoes_that(api: Api, receiver: Receiver) -> None:
    receiver.answer = lambda _: 404
    made = (await subscribe(api, receiver.url)).json()["webhook_subscription"]
    path = f"/webhook_subscriptions/{made['id']}"
    for _ in range(3):
        await api.incident()
    await api.site.sender.drained()
    assert (await api.get(path))["webhook_subscription"]["delivery_method"]["temporarily_disabled"]
    enabled = (await api.send("POST", f"{path}/enable")).json()["webhook_subscription"]
    assert not enabled["delivery_method"]["temporarily_disabled"]


async def test_at_most_ten_of_one_filter_and_lists_by_filter(api: Api, unused_url: str) -> None:
    service_id = api.service_id("Search")
    only = {"type": "service_reference", "id": service_id}
    for _ in range(10):
        assert (await subscribe(api, unused_url, filter=only)).is_success
    assert (await subscribe(api, unused_url, filter=only)).status_code == 400
    assert (await subscribe(api, unused_url)).is_success
    query = {"filter_type": "service", "filter_id": service_id}
    assert len((await api.get("/webhook_subscriptions", **query))["webhook_subscriptions"]) == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": ["incident.exploded"]},
        {"filter": {"type": "service_reference"}},
        {"filter": {"type": "team_reference", "id": "PNONE"}},
        {"delivery_method": {"type": "http_delivery_method", "url": "ftp://calmo.example"}},
    ],
)
async def test_a_subscription_that_makes_no_sense_is_refused(
    api: Api, unused_url: str, wrong: dict[str, Any]
) -> None:
    assert (await subscribe(api, unused_url, **wrong)).status_code == 400


async def test_only_managers_may_manage_webhooks(api: Api, unused_url: str) -> None:
    headers = {"Authorization": "Token token=his"}
    api.site.add_token("his", "user", user_id=api.user_id("Mei Tanaka"))
    response = await api.http.post("/webhook_subscriptions", json={}, headers=headers)
    assert response.status_code == 403
