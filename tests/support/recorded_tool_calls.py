"""Runs of tool calls whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from calmo_pagerduty.tool_calls.record_service import CallToCreate
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.eventually import eventually
from tests.support.patience import ANSWER
from tests.support.system import System, start_workers
from tests.support.tool_callers import until_state
from workflows import names
from workflows.tool_call import ToolCallStart

#: Returns the workflow's id.
Scenario = Callable[[System, Client], Awaitable[str]]
RISKY = ConnectionRules(
    switches={"risk:medium": Switch.ALLOW, "risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH})
)


async def begin(service: System, client: Client) -> None:
    await start_workers(service)


async def ask(service: System, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await service.call(tool, service.a_key(person="asker"), **arguments)
    found: dict[str, Any] = answer.json()
    return found


async def risky(service: System, hours: float = 24) -> dict[str, Any]:
    """Ask for what needs an approval."""
    service.permit(RISKY.model_copy(update={"approval_hours": hours}))
    place = next(iter(service.site.account.services))
    return await ask(service, "create_incident", title="By hand", service_id=place)


async def decide(service: System, call: dict[str, Any], word: str) -> None:
    path = f"/api/tool-calls/{call['call_id']}/{word}"
    answer = await service.http.post(path, json={}, headers=service.a_key(person="approver"), timeout=ANSWER)
    assert answer.status_code == 200, answer.text


async def tool_write(service: System, client: Client) -> str:
    await begin(service, client)
    call = await ask(service, "resolve_incident", incident_id=service.an_incident())
    assert call["state"] == "done"
    return str(call["workflow_id"])


async def tool_write_refused_by_pagerduty(service: System, client: Client) -> str:
    await begin(service, client)
    call = await ask(service, "resolve_incident", incident_id="QNOWHERE")
    assert call["state"] == "failed"
    return str(call["workflow_id"])


async def tool_write_tried_again(service: System, client: Client) -> str:
    await begin(service, client)
    service.site.faults.fail_next("500", operation="updateIncident")
    call = await ask(service, "resolve_incident", incident_id=service.an_incident())
    assert call["state"] == "done"
    return str(call["workflow_id"])


async def tool_approved(service: System, client: Client) -> str:
    await begin(service, client)
    call = await risky(service)
    await decide(service, call, "approve")
    await until_state(service, call["call_id"], "done")
    return str(call["workflow_id"])


async def tool_denied(service: System, client: Client) -> str:
    await begin(service, client)
    call = await risky(service)
    await decide(service, call, "deny")
    return str(call["workflow_id"])


async def tool_expired(service: System, client: Client) -> str:
    await begin(service, client)
    call = await risky(service, hours=0.3 / 3600)
    await until_state(service, call["call_id"], "expired")
    return str(call["workflow_id"])


async def tool_waiting(service: System, client: Client) -> str:
    """An operator's first word isn't taken; it still waits."""
    await begin(service, client)
    call = await risky(service)
    handle = client.get_workflow_handle(call["workflow_id"])
    await handle.signal(names.SIGNAL_APPROVE, {"by": ""})

    async def state() -> str:
        return str(await handle.query(names.QUERY_CALL_STATE))

    await eventually(state, lambda found: found == "waiting")
    return str(call["workflow_id"])


async def tool_approved_by_an_operator(service: System, client: Client) -> str:
    await begin(service, client)
    call = await risky(service)
    handle = client.get_workflow_handle(call["workflow_id"])
    await handle.signal(names.SIGNAL_APPROVE, {"by": "operator"})
    await until_state(service, call["call_id"], "done")
    return str(call["workflow_id"])


async def tool_cancelled(service: System, client: Client) -> str:
    await begin(service, client)
    call = await risky(service)
    await client.get_workflow_handle(call["workflow_id"]).cancel()
    await until_state(service, call["call_id"], "denied")
    return str(call["workflow_id"])


async def tool_ordered_through_temporal(service: System, client: Client) -> str:
    await begin(service, client)
    answer = await service.http.post(
        "/api/tools/list_services/orders",
        json={"connection": service.connection_id, "idempotency_key": "once"},
        headers=service.a_key(person="service"),
    )
    order = CallToCreate(**answer.json()["order"])
    workflow_id = "another-service:list"
    await client.execute_workflow(
        names.TOOL_CALL_WORKFLOW,
        ToolCallStart(order=order),
        id=workflow_id,
        task_queue=service.ingress.services.settings.task_queue,
        search_attributes=TypedSearchAttributes([SearchAttributePair(names.SCOPE, "organization:acme")]),
    )
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        tool_write, tool_write_refused_by_pagerduty, tool_write_tried_again, tool_approved, tool_denied,
        tool_expired, tool_waiting, tool_approved_by_an_operator, tool_cancelled,
        tool_ordered_through_temporal,
    )
}  # fmt: skip
