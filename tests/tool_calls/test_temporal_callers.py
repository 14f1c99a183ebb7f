"""Another service of Calmo calls tools through Temporal: its workflow has ours as a child."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from calmo_pagerduty.clients.tools import ToolClient
from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
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

    async def start(self, tool: str, idempotency_key: str = "order-1", **arguments: Any) -> Any:
        order = {
            "key_id": self.headers["Authorization"].split("_")[1],
            "connection_id": self.service.connection_id,
            "tool": tool,
            "arguments": arguments,
            "idempotency_key": idempotency_key,
        }
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


async def refusal_of(neighbour: Neighbour, tool: str, **arguments: Any) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await neighbour.order(tool, **arguments)
    child = failed.value.cause
    assert isinstance(child, ChildWorkflowError)
    cause = child.cause
    while not isinstance(cause, ApplicationError):
        assert cause is not None
        cause = cause.__cause__
    return cause


async def test_a_refused_order_fails_in_words_and_is_audited(neighbour: Neighbour) -> None:
    neighbour.service.permit(ConnectionRules())
    incident = neighbour.service.an_incident()
    refused = await refusal_of(neighbour, "resolve_incident", incident_id=incident)
    assert refused.type == "NotFiled"
    assert "writes are off by default" in refused.message
    assert neighbour.service.site.account.incident(incident).status == "triggered"
    [row] = await neighbour.service.audited()
    assert (row["face"], row["decision"], row["outcome"]) == ("temporal", "refused", "refused")


async def test_orders_that_make_no_sense_fail_in_words(neighbour: Neighbour) -> None:
    assert (
        "incident_id: this is no id"
        in (await refusal_of(neighbour, "get_incident", incident_id="null")).message
    )
    assert "there is no tool" in (await refusal_of(neighbour, "drop_database")).message
    neighbour.headers = neighbour.service.a_key(scopes=("organization:other",))
    assert "there is no connection" in (await refusal_of(neighbour, "list_services")).message
    neighbour.headers = {"Authorization": "Bearer calmo_unknown_key"}
    assert "no such API key" in (await refusal_of(neighbour, "list_services")).message


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
    await order.signal("approve", {"by": "Olga of operations"})
    assert (await service.get(f"/api/tool-calls/{ticket}"))["state"] == "waiting"
    await neighbour.temporal.get_workflow_handle(own).signal("approve", {"by": "Olga of operations"})
    assert (await handle.result())["state"] == "done"


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
