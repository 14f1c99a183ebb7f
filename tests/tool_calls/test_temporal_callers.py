"""Another service of Calmo calls tools through Temporal: its workflow has ours as a child."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from calmo_pagerduty.access.service_key_store import get_or_insert_service_key
from calmo_pagerduty.clients.tools import ToolClient
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.tool_calls.model import arguments_sha256, tool_call_workflow_id
from calmo_pagerduty.tool_calls.proofs import order_claims
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from calmo_pagerduty.tools.plans.incident_writes import ResolveIncident
from ingress.tools import sweeper as tool_call_sweeper
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, STORY
from tests.support.system import System
from tests.support.tool_callers import served, until_state

RISKY = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))


@workflow.defn
class AnotherService:
    """Knows ours by names only."""

    @workflow.run
    async def run(self, order: dict[str, Any], task_queue: str) -> dict[str, Any]:
        end: dict[str, Any] = await workflow.execute_child_workflow(
            "ToolCallWorkflow",
            {"order": order},
            id=f"ordered-by-{workflow.info().workflow_id}",
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=STORY),
        )
        return end


@dataclass
class Neighbour:
    """The other service: it has a key, a worker of its own, and our task queue's name."""

    temporal: Client
    service: System
    headers: dict[str, str]
    task_queue: str

    async def signed(self, tool: str, idempotency_key: str = "order-1", **arguments: Any) -> dict[str, Any]:
        """Ask the API for an order, as an activity of the other service does."""
        answer = await self.service.http.post(
            f"/api/tools/{tool}/orders",
            json={
                "connection": self.service.connection_id,
                "arguments": arguments,
                "idempotency_key": idempotency_key,
            },
            headers=self.headers,
        )
        assert answer.status_code == 200, answer.text
        order: dict[str, Any] = answer.json()["order"]
        return order

    async def start(self, tool: str, idempotency_key: str = "order-1", **arguments: Any) -> Any:
        return await self.start_order(await self.signed(tool, idempotency_key, **arguments))

    async def start_order(self, order: dict[str, Any]) -> Any:
        ours = self.service.ingress.services.settings.task_queue
        return await self.temporal.start_workflow(
            "AnotherService", args=[order, ours], id=uuid.uuid4().hex, task_queue=self.task_queue
        )

    async def order(self, tool: str, idempotency_key: str = "order-1", **arguments: Any) -> dict[str, Any]:
        handle = await self.start(tool, idempotency_key, **arguments)
        end: dict[str, Any] = await handle.result()
        return end

    async def ticket(self, state: str) -> str:
        """Wait for the only call to stand so and return its id."""
        found = await eventually(
            lambda: self.service.get(f"/api/tool-calls?state={state}"), lambda listed: bool(listed["calls"])
        )
        return str(found["calls"][0]["call_id"])


@pytest.fixture
async def neighbour(temporal: Client, service: System, task_queue: str) -> AsyncIterator[Neighbour]:
    runner = UnsandboxedWorkflowRunner()
    async with Worker(temporal, task_queue=task_queue, workflows=[AnotherService], workflow_runner=runner):
        yield Neighbour(temporal, service, service.a_key(person="neighbour"), task_queue)


async def test_a_read_is_ordered_and_its_result_read_by_the_client(neighbour: Neighbour) -> None:
    service = neighbour.service
    incident = service.an_incident("Basket is slow")
    end = await neighbour.order("list_incidents", statuses=["triggered"])
    assert end["state"] == "done"
    async with served(service) as url:
        key = neighbour.headers["Authorization"].removeprefix("Bearer ")
        async with ToolClient(url, key) as client:
            call = await client.look(end["call_id"])
    assert call.result is not None
    assert [(row["id"], row["title"]) for row in call.result["items"]] == [(incident, "Basket is slow")]


async def test_a_write_is_ordered_and_done_once_however_often_it_is_ordered(neighbour: Neighbour) -> None:
    incident = neighbour.service.an_incident()
    note = {"incident_id": incident, "content": "By a service."}
    handles = [await neighbour.start("add_incident_note", **note) for _ in range(3)]
    ends = [await handle.result() for handle in handles]
    assert ends[0]["state"] == "done"
    assert ends[1:] == ends[:1] * 2
    assert len(neighbour.service.site.account.incident(incident).notes) == 1


async def test_an_order_is_audited_as_one_through_temporal(neighbour: Neighbour) -> None:
    incident = neighbour.service.an_incident()
    await neighbour.order("resolve_incident", incident_id=incident)
    assert neighbour.service.site.account.incident(incident).status == "resolved"
    told = [
        (record["face"], record["requester"], record["outcome"])
        for record in await neighbour.service.audited()
    ]
    assert told == [("temporal", "neighbour", "begins"), ("temporal", "neighbour", "done")]


async def refusal_of(neighbour: Neighbour, order: dict[str, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await (await neighbour.start_order(order)).result()
    child = failed.value.cause
    assert isinstance(child, ChildWorkflowError)
    cause = child.cause
    while not isinstance(cause, ApplicationError):
        assert cause is not None
        cause = cause.__cause__
    return cause


async def test_an_order_that_is_no_longer_allowed_fails_in_words_and_is_audited(neighbour: Neighbour) -> None:
    incident = neighbour.service.an_incident()
    order = await neighbour.signed("resolve_incident", incident_id=incident)
    neighbour.service.permit(ConnectionRules())
    refused = await refusal_of(neighbour, order)
    assert refused.type == "NotFiled"
    assert "writes are off by default" in refused.message
    assert neighbour.service.site.account.incident(incident).status == "triggered"
    [row] = await neighbour.service.audited()
    assert (row["face"], row["decision"], row["outcome"]) == ("temporal", "refused", "refused")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"proof": None}, "no proof"),
        ({"proof": "v2:k1:1:00"}, "not one of ours"),
        ({"arguments": {"incident_id": "QOTHER"}}, "something else"),
        ({"tool": "acknowledge_incident"}, "something else"),
        ({"idempotency_key": "another"}, "something else"),
        ({"connection_id": "con_other"}, "something else"),
    ],
)
async def test_an_order_that_our_api_did_not_sign_is_refused(
    neighbour: Neighbour, changed: dict[str, Any], words: str
) -> None:
    incident = neighbour.service.an_incident()
    order = await neighbour.signed("resolve_incident", incident_id=incident)
    assert words in (await refusal_of(neighbour, {**order, **changed})).message
    cut = {**order, "proof": order["proof"][:-1]}
    assert "something else" in (await refusal_of(neighbour, cut)).message
    victim = neighbour.service.a_key(person="victim")["Authorization"].split("_")[1]
    assert "something else" in (await refusal_of(neighbour, {**order, "key_id": victim})).message
    assert neighbour.service.site.account.incident(incident).status == "triggered"


async def test_the_services_own_keys_open_nothing_from_outside(neighbour: Neighbour) -> None:
    """Their ids are no secret: anybody can compute them."""
    service, acme = neighbour.service, Scope.parse("organization:acme")
    own = service.database.write_blocking(
        lambda t: get_or_insert_service_key(t, "Calmo's notes", "tools:write", acme, datetime.now(UTC))
    )
    order = {**await neighbour.signed("list_services"), "key_id": own}
    assert "something else" in (await refusal_of(neighbour, order)).message
    claims = order_claims(
        own, service.connection_id, "list_services", arguments_sha256("list_services", {}), "x"
    )
    proof = service.ingress.services.proof_keys.sign(claims, datetime.now(UTC) + timedelta(hours=1))
    forged = {**order, "idempotency_key": "x", "proof": proof}
    assert "no such API key" in (await refusal_of(neighbour, forged)).message


async def test_only_keys_with_the_permission_order_through_temporal(neighbour: Neighbour) -> None:
    service = neighbour.service
    neighbour.headers = service.a_key("tools:read", "tools:write", person="neighbour")
    answer = await service.http.post(
        "/api/tools/list_services/orders", json={"idempotency_key": "1"}, headers=neighbour.headers
    )
    assert answer.status_code == 403
    assert "tools:temporal" in answer.json()["error"]["message"]


async def test_the_typed_client_brings_a_workflows_input(neighbour: Neighbour) -> None:
    service = neighbour.service
    incident = service.an_incident()
    async with served(service) as url:
        key = neighbour.headers["Authorization"].removeprefix("Bearer ")
        async with ToolClient(url, key, service.connection_id) as client:
            start = await client.order("resolve_incident", ResolveIncident(incident_id=incident), "1")
    end = await (await neighbour.start_order(dict(start["order"]))).result()
    assert end["state"] == "done"


async def test_an_order_that_waits_ends_when_a_person_approves_it_over_rest(neighbour: Neighbour) -> None:
    service = neighbour.service
    service.permit(RISKY)
    place = next(iter(service.site.account.services))
    handle = await neighbour.start("create_incident", title="Ordered", service_id=place)
    ticket = await neighbour.ticket("waiting")
    assert not service.site.account.incidents
    own = neighbour.headers
    path = f"/api/tool-calls/{ticket}/approve"
    assert (await service.http.post(path, json={}, headers=own, timeout=ANSWER)).status_code == 403
    bob = service.a_key(person="bob")
    assert (await service.http.post(path, json={}, headers=bob, timeout=ANSWER)).status_code == 200
    assert await handle.result() == {"call_id": ticket, "state": "done"}
    assert len(service.site.account.incidents) == 1


async def test_an_order_that_is_denied_ends_so(neighbour: Neighbour) -> None:
    service = neighbour.service
    service.permit(RISKY)
    place = next(iter(service.site.account.services))
    handle = await neighbour.start("create_incident", title="Ordered", service_id=place)
    ticket = await neighbour.ticket("waiting")
    path = f"/api/tool-calls/{ticket}/deny"
    await service.http.post(path, json={}, headers=service.a_key(person="bob"), timeout=ANSWER)
    assert (await handle.result())["state"] == "denied"
    assert not service.site.account.incidents


async def test_a_decision_sent_to_the_order_is_told_where_to_go(neighbour: Neighbour) -> None:
    service = neighbour.service
    service.permit(RISKY)
    place = next(iter(service.site.account.services))
    handle = await neighbour.start("create_incident", title="Ordered", service_id=place)
    ticket = await neighbour.ticket("waiting")
    own = tool_call_workflow_id(service.connection_id, ticket)
    order = neighbour.temporal.get_workflow_handle(f"ordered-by-{handle.id}")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await order.execute_update("decide", {"approve": True, "key_id": "any"})
    assert own in str(refused.value.__cause__)
    await order.signal("deny", {"by": "Olga of operations"})
    assert (await service.get(f"/api/tool-calls/{ticket}"))["state"] == "waiting"
    await neighbour.temporal.get_workflow_handle(own).signal("deny", {"by": "Olga of operations"})
    assert (await handle.result())["state"] == "denied"


async def test_looking_after_open_calls_does_not_make_an_order_twice(
    neighbour: Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = neighbour.service
    monkeypatch.setattr(tool_call_sweeper, "OVERDUE_AFTER", timedelta())
    incident = service.an_incident()
    handle = await neighbour.start("add_incident_note", incident_id=incident, content="Once.")
    ticket = await eventually(lambda: service.get("/api/tool-calls"), lambda listed: bool(listed["calls"]))
    await service.ingress.tool_call_sweeper.sweep_once()
    assert (await handle.result())["state"] == "done"
    await until_state(service, ticket["calls"][0]["call_id"], "done")
    assert len(service.site.account.incident(incident).notes) == 1
