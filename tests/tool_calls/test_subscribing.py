"""PagerDuty's subscriptions made, replaced and ended by us, against a simulated PagerDuty that delivers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.errors import NotFound, ServerFault, Unreachable
from calmo_pagerduty.pagerduty.requests import Plan
from calmo_pagerduty.tools.permissions import ConnectionRules
from calmo_pagerduty.webhooks import subscription_plans as subscriptions
from calmo_pagerduty.webhooks.event_filters import EVENTS, EventFilter, EventSet
from calmo_pagerduty.webhooks.lifecycle import SECRET_OVERLAP
from tests.support.connected import TOKEN, add_connection
from tests.support.contract import REFERENCE_IS_AT_HAND, complaints
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.plan_runs import Run, by_line, drive, listed
from tests.support.webhook_service import WebhookService, running_webhook_service

ID = "wh_" + "abcdefgh234567ij" * 2
TO = subscriptions.DeliveryTarget(ID, f"https://calmo.example.com/webhooks/pagerduty/{ID}", "Shop")
EVENTS_WANTED = [str(event_type) for event_type in EVENTS[EventSet.ESSENTIAL]]
MADE = {"webhook_subscription": {"id": "PNEW", "delivery_method": {"secret": "the-secret-of-it"}}}


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[WebhookService]:
    async with running_webhook_service(parts) as found:
        yield found


def a_subscription(identity: str, url: str = TO.url, description: str = TO.description) -> dict[str, object]:
    return {"id": identity, "description": description, "delivery_method": {"url": url}}


def run(plan: Plan, answers: dict[str, Any]) -> Run:
    done = drive(plan, by_line(answers))
    check_requests(done)
    return done


def check_requests(done: Run) -> None:
    """Each request is one that PagerDuty documents."""
    if REFERENCE_IS_AT_HAND:
        assert [complaints(request) for request in done.requests] == [[] for _ in done.requests]


def test_a_subscription_is_asked_for_with_its_events_and_filter_and_a_mark() -> None:
    plan = subscriptions.subscribe(TO, EVENTS_WANTED, EventFilter(service_ids=("PSHOP",)))
    done = run(plan, {"POST /webhook_subscriptions": MADE})
    body = done.body()["webhook_subscription"]
    assert body["delivery_method"]["url"] == TO.url
    assert body["filter"] == {"type": "service_reference", "id": "PSHOP"}
    assert body["events"] == EVENTS_WANTED and TO.mark in body["description"]
    assert body["active"] is False
    assert done.result == {"made": [{"id": "PNEW", "secret": "the-secret-of-it"}]}


def test_what_a_lost_answer_left_is_ended_and_made_anew() -> None:
    cut_off = Unreachable("cut off")
    cut_off.may_have_happened = True
    answers: list[Any] = [
        listed(),
        cut_off,
        listed(
            a_subscription("PLOST"),
            a_subscription("PELSE", url=TO.url + "x"),
            a_subscription("PHAND", description="made by hand"),
            a_subscription("PKNOWN"),
        ),
        {},
        MADE,
    ]
    plan = subscriptions.subscribe(TO, EVENTS_WANTED, EventFilter(), keep=("PKNOWN",))
    done = drive(plan, lambda _asked: answers.pop(0))
    check_requests(done)
    assert [line for line in done.lines if not line.startswith("GET")] == [
        "POST /webhook_subscriptions",
        "DELETE /webhook_subscriptions/PLOST",
        "POST /webhook_subscriptions",
    ]
    assert done.result["made"][0]["id"] == "PNEW"


def test_what_surely_did_not_happen_is_not_repeated() -> None:
    refused = Unreachable("can't be reached")
    refused.may_have_happened = False
    plan = subscriptions.subscribe(TO, EVENTS_WANTED, EventFilter())
    done = run(plan, {"POST /webhook_subscriptions": refused})
    assert done.error is refused and len(done.writes) == 1


def test_a_fault_that_stays_is_told_of_after_three_attempts() -> None:
    plan = subscriptions.subscribe(TO, EVENTS_WANTED, EventFilter())
    done = run(plan, {"POST /webhook_subscriptions": ServerFault("500")})
    assert isinstance(done.error, ServerFault) and len(done.writes) == 3


def test_what_is_gone_already_is_well_deleted_and_well_retired() -> None:
    gone = {f"{method} /webhook_subscriptions/P1": NotFound("gone") for method in ("DELETE", "PUT")}
    assert run(subscriptions.unsubscribe(TO, ["P1"]), dict(gone)).error is None
    assert run(subscriptions.deactivate(["P1"]), dict(gone)).error is None


def test_pinging_and_activating_are_as_documented() -> None:
    run(subscriptions.ping("P1"), {})
    done = run(subscriptions.activate(["P1", "P2"]), {})
    assert done.lines == ["PUT /webhook_subscriptions/P1", "PUT /webhook_subscriptions/P2"]


async def test_a_subscription_is_made_and_its_events_become_issues(service: WebhookService) -> None:
    made = await service.subscribed(name="Shop", event_set="essential")
    [subscription] = service.subscriptions
    assert subscription.url == made["url"] and subscription.active
    assert made["subscription_ids"] == [subscription.id] and made["steps"] == []
    for text in (str(made), str(rows(service.tools.database, tables.audit))):
        assert subscription.secrets[0] not in text
    service.tools.site.publish(
        service.tools.site.account.trigger(next(iter(service.tools.site.account.services)), "Slow")
    )
    await service.tools.site.sender.drained()

    async def issues() -> list[str]:
        found = await service.tools.get("/api/issues")
        return [issue["title"] for issue in found["issues"]]

    await eventually(issues, lambda titles: titles == ["Slow"])
    assert (await service.done("GET", f"/{made['id']}"))["state"] == "armed"


async def test_several_services_are_subscribed_to_one_by_one(service: WebhookService) -> None:
    services = list(service.tools.site.account.services)[:2]
    made = await service.subscribed(service_ids=services)
    assert [subscription.filter.id for subscription in service.subscriptions] == services
    assert len(made["subscription_ids"]) == len(made["secrets"]) == 2
    await service.done("DELETE", f"/{made['id']}")
    assert service.subscriptions == []


@pytest.mark.parametrize("fault", ["timeout_after", "cut", "500"])
async def test_after_an_answer_that_got_lost_there_is_one_subscription(
    service: WebhookService, fault: str
) -> None:
    service.tools.site.faults.fail_next(fault, operation="createWebhookSubscription")
    made = await service.subscribed()
    assert [subscription.id for subscription in service.subscriptions] == made["subscription_ids"]


async def test_rotation_replaces_the_subscription_and_refuses_nothing(service: WebhookService) -> None:
    made = await service.subscribed()
    [old] = service.subscriptions
    site = service.tools.site
    rotating = asyncio.create_task(service.done("POST", f"/{made['id']}/rotate"))
    published = 0
    while not rotating.done() or published < 150:
        site.publish(site.account.ping())
        published += 1
        await asyncio.sleep(0.01)
    rotated = await rotating
    await site.sender.drained()
    # An answer may be late or lost on its way; then the event is sent again.
    assert {attempt.status for attempt in site.sender.attempts} - {None} == {202}
    assert {row.event_id for row in rows(service.tools.database, tables.deliveries)} == {
        attempt.event_id for attempt in site.sender.attempts
    }
    new = next(subscription for subscription in service.subscriptions if subscription.id != old.id)
    assert (old.active, new.active) == (False, True)
    assert {old.id, new.id} == {attempt.subscription_id for attempt in site.sender.attempts}
    assert rotated["subscription_ids"] == [new.id]
    assert [bool(secret["expires_at"]) for secret in rotated["secrets"]] == [True, False]
    await service.ingress.webhook_sweeper.sweep_once(datetime.now(UTC) + SECRET_OVERLAP)
    assert [subscription.id for subscription in service.subscriptions] == [new.id]


async def test_two_who_subscribe_at_once_make_one_subscription(service: WebhookService) -> None:
    made = await service.make(connection=service.tools.connection_id)
    path = f"/{made['id']}/subscription"
    both = await asyncio.gather(service.ask("POST", path, {}), service.ask("POST", path, {}))
    assert sorted(response.status_code for response in both) == [200, 409]
    shown = await service.done("GET", f"/{made['id']}")
    assert [subscription.id for subscription in service.subscriptions] == shown["subscription_ids"]


async def test_deleting_ends_the_subscription_even_if_pagerduty_is_away(service: WebhookService) -> None:
    made = await service.subscribed()
    service.tools.site.revoke_token(TOKEN)
    gone = await service.done("DELETE", f"/{made['id']}")
    assert gone["state"] == "deleted" and "later" in gone["warnings"][0]
    assert len(service.subscriptions) == 1
    service.tools.site.add_token(TOKEN)
    await service.ingress.webhook_sweeper.sweep_once(datetime.now(UTC))
    assert service.subscriptions == []


async def test_what_pagerduty_refuses_is_told_and_can_be_tried_again(service: WebhookService) -> None:
    service.tools.site.revoke_token(TOKEN)
    body = {"connection": service.tools.connection_id, "subscribe": True}
    made = await service.make(**body)
    assert not made["managed"] and made["state"] == "waiting_for_secret"
    assert "could not be made" in made["warnings"][0] and made["id"] not in made["warnings"][0]
    refused = await service.ask("POST", f"/{made['id']}/subscription", {})
    assert refused.status_code == 502 and made["id"] not in refused.text
    service.tools.site.add_token(TOKEN)
    assert (await service.done("POST", f"/{made['id']}/subscription"))["state"] == "unproven"
    again = await service.ask("POST", f"/{made['id']}/subscription", {})
    assert again.status_code == 409


async def test_an_organisations_subscriptions_are_its_administrators_to_change(
    service: WebhookService,
) -> None:
    member = service.tools.a_key("webhooks:read", "webhooks:write", person="member")
    body = {"scope": "organization:acme", "connection": service.tools.connection_id, "subscribe": True}
    refused = await service.ask("POST", "", body, member)
    assert refused.status_code == 403 and "administrators" in refused.text
    made = await service.subscribed()
    assert (await service.ask("POST", f"/{made['id']}/rotate", {}, member)).status_code == 403


async def test_a_connection_without_a_token_or_of_another_scope_can_not_subscribe(
    service: WebhookService, keyring: Keyring
) -> None:
    database = service.tools.database
    now = datetime.now(UTC)
    scope = (await service.tools.get(f"/api/connections/{service.tools.connection_id}"))["scope"]
    bare = database.write_blocking(
        lambda t: connections.insert_connection(t, "Bare", Scope.parse(scope), now)
    )
    other = add_connection(database, keyring, "personal:alice", rules=ConnectionRules())
    for connection, word in ((bare, "no PagerDuty token"), (other, "scope")):
        body = {"scope": scope, "connection": connection, "subscribe": True}
        refused = await service.ask("POST", "", body)
        assert refused.status_code == 409 and word in refused.text
    assert service.subscriptions == []


async def test_pagerduty_itself_is_not_given_an_address_that_it_can_not_reach(
    service: WebhookService,
) -> None:
    database = service.tools.database
    database.write_blocking(
        lambda t: connections.update_connection(t, service.tools.connection_id, region="us")
    )
    body = {"scope": "organization:acme", "connection": service.tools.connection_id, "subscribe": True}
    refused = await service.ask("POST", "", body)
    assert refused.status_code == 409 and "CALMO_PUBLIC_URL" in refused.text
