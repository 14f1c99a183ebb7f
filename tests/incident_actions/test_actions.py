"""Acting on an issue: PagerDuty does it once, the issue shows it at once, and the timeline says who did."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db.operation_tables import operations
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.classes import Risk
from ingress.tools import sweeper as tool_call_sweeper
from pagerduty_simulator.rest.faults import Faults
from tests.support.connected import WRITES_ON
from tests.support.patience import ANSWER
from tests.support.system import System
from tests.support.tool_callers import until_state


@pytest.mark.each_database
async def test_an_acknowledgement_reaches_pagerduty_and_the_issue_with_its_author(
    system: System,
) -> None:
    incident = await system.page()
    answer = await system.act(incident, "acknowledge", headers=system.a_key(person="Alice"))
    assert (answer["state"], answer["outcome"], answer["author"]) == ("done", "done", "Alice")
    assert system.account.incident(incident).status == "acknowledged"
    assert (await system.issue(incident))["status"] == "acknowledged"
    await system.settle()
    issue = await system.issue(incident)
    assert issue["status"] == "acknowledged"
    assert [entry["summary"] for entry in issue["timeline"]][1:] == ["acknowledged by Alice via Calmo"]
    entry = issue["timeline"][-1]
    assert (entry["author"], entry["operation_id"]) == ("Alice", answer["call_id"])
    assert entry["actor"]["type"] == "user_reference"


async def test_every_action_is_done_once_and_told_once(system: System) -> None:
    incident = await system.page()
    user = list(system.account.users)[-1]
    priority = next(iter(system.account.priorities))
    await system.act(incident, "acknowledge")
    await system.act(incident, "snooze", seconds=3600)
    await system.act(incident, "set_priority", priority_id=priority)
    await system.act(incident, "add_note", content="Rolled back.")
    await system.act(
        incident, "request_responders", message="Please help.", targets=[{"type": "user", "id": user}]
    )
    await system.act(incident, "reassign", assignee_ids=[user])
    await system.act(incident, "escalate", escalation_level=2)
    await system.act(incident, "resolve", resolution="Rolled back.")
    await system.act(incident, "reopen")
    await system.settle()
    told = await system.told(incident)
    assert len(told) == 10, told
    assert all("via Calmo" in summary for summary in told[1:]), told
    assert told[4] == "note added by test via Calmo: Rolled back."
    assert len(system.account.incident(incident).notes) == 1
    there = system.account.incident(incident)
    issue = await system.issue(incident)
    assert (issue["status"], issue["priority"]) == ("triggered", there.priority and there.priority.name)
    assert {assignee["id"] for assignee in issue["assignees"]} == {user.id for user in there.assignees}
    assert {operation["outcome"] for operation in await system.operations(incident)} == {"done"}
    await system.until_workflow_knows(incident, "triggered")
    assert system.differences() == []


@pytest.mark.parametrize(
    ("before", "action", "why"),
    [
        ([], "snooze", "snooze is not possible: it is not acknowledged"),
        ([], "reopen", "reopen is not possible: it is not resolved"),
        (["acknowledge"], "acknowledge", "acknowledge is not possible: it is acknowledged already"),
        (["resolve"], "resolve", "resolve is not possible: it is resolved already"),
        (["resolve"], "acknowledge", "acknowledge is not possible: it is resolved already; reopen it first"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_once_with_the_reason(
    system: System, before: list[str], action: str, why: str
) -> None:
    incident = await system.page()
    for earlier_action in before:
        await system.act(incident, earlier_action)
    asked = len(system.site.requests)
    arguments: dict[str, Any] = {"seconds": 600} if action == "snooze" else {}
    answer = await system.post(incident, action, idempotency_key="once", **arguments)
    assert answer.status_code == 409, answer.text
    assert answer.json()["error"]["message"].startswith(why)
    again = await system.post(incident, action, idempotency_key="once", **arguments)
    assert again.json() == answer.json()
    assert len(system.site.requests) == asked


async def test_what_is_no_action_or_takes_no_such_argument_is_said(system: System) -> None:
    incident = await system.page()
    for action, arguments, status, word in (
        ("explode", {}, 400, "there is no action 'explode'"),
        ("acknowledge", {"title": "x"}, 400, "acknowledge has no such argument"),
        ("escalate", {}, 400, "escalate needs escalation_level or escalation_policy_id"),
        ("snooze", {"seconds": 1}, 400, "seconds"),
    ):
        answer = await system.post(incident, action, **arguments)
        assert (answer.status_code, word in answer.text) == (status, True), answer.text


async def test_the_one_gate_refuses_who_may_not_write(system: System) -> None:
    incident = await system.page()
    reader = system.a_key("issues:read", "tools:read")
    answer = await system.post(incident, "acknowledge", headers=reader)
    assert (answer.status_code, answer.json()["error"]["rule"]) == (403, "key tools:write")
    blind = system.a_key("tools:read", "tools:write")
    assert (await system.post(incident, "acknowledge", headers=blind)).status_code == 403
    foreign = system.a_key(scopes=["organization:bank"])
    assert (await system.post(incident, "acknowledge", headers=foreign)).status_code == 404
    assert system.account.incident(incident).status == "triggered"


async def test_an_idempotency_key_means_one_action(system: System) -> None:
    incident = await system.page()
    answers = await asyncio.gather(
        *(system.act(incident, "add_note", content="Once.", idempotency_key="n1") for _ in range(6))
    )
    assert len({answer["call_id"] for answer in answers}) == 1
    other = await system.post(incident, "add_note", content="Another.", idempotency_key="n1")
    assert other.status_code == 409
    await system.settle()
    assert len(system.account.incident(incident).notes) == 1
    assert len(await system.told(incident)) == 2


async def test_an_action_that_needs_approval_waits_for_it(system: System) -> None:
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.MEDIUM})}))
    incident = await system.page()
    alice, bob = system.a_key(person="Alice"), system.a_key(person="Bob")
    ticket = await system.post(incident, "resolve", headers=alice)
    assert (ticket.status_code, ticket.json()["state"], ticket.json()["outcome"]) == (202, "waiting", "open")
    assert system.account.incident(incident).status == "triggered"
    path = f"/api/tool-calls/{ticket.json()['call_id']}/approve"
    approved = await system.http.post(path, json={}, headers=bob, timeout=ANSWER)
    assert approved.status_code == 200, approved.text
    await system.until_workflow_knows(incident, "resolved")
    await system.settle()
    assert (await system.told(incident))[1:] == ["resolved by Alice via Calmo"]


async def test_an_approval_that_comes_too_late_does_nothing(system: System) -> None:
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.MEDIUM})}))
    incident = await system.page()
    alice, bob = system.a_key(person="Alice"), system.a_key(person="Bob")
    ticket = (await system.post(incident, "acknowledge", headers=alice)).json()
    await system.deliver(system.account.resolve(incident))
    path = f"/api/tool-calls/{ticket['call_id']}"
    await system.http.post(f"{path}/approve", json={}, headers=bob, timeout=ANSWER)
    again = await system.post(incident, "acknowledge", headers=alice)
    assert again.status_code == 409
    call = await until_state(system, ticket["call_id"], "refused")
    assert "resolved already" in call["error"]["message"]
    assert (await system.operations(incident))[-1]["outcome"] == "not_done"


async def test_an_action_that_was_done_is_not_refused_by_its_own_doing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We never heard that its workflow took it over; when it is handed over again, it is done already."""
    incident = await system.page()
    system.site.faults = Faults(hang_seconds=0.05)
    system.site.faults.fail_next("timeout_after", operation="updateIncident")
    system.site.faults.fail_next("500", times=1000, operation="updateIncident")
    ticket = (await system.post(incident, "acknowledge", wait_seconds=0, idempotency_key="a1")).json()
    await system.until_workflow_knows(incident, "acknowledged")
    system.database.write_blocking(lambda t: t.execute(sa.update(operations).values(accepted_at=None)))
    again = await system.post(incident, "acknowledge", wait_seconds=0, idempotency_key="a1")
    assert (again.status_code, again.json()["state"]) == (202, "running")
    system.site.faults = Faults()
    await until_state(system, ticket["call_id"], "done")
    await system.settle()
    assert (await system.told(incident))[1:] == ["acknowledged by test via Calmo"]


async def test_an_action_that_nobody_takes_over_holds_up_no_other(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await system.page("First"), await system.page("Second")
    temporal = system.ingress.services.temporal
    connected = temporal.client
    temporal.hold(None)
    for incident in (first, second):
        assert (await system.post(incident, "acknowledge")).status_code == 503
    temporal.hold(connected)
    sweeper, resume = system.ingress.tool_call_sweeper, system.ingress.action_service.resume

    async def resume_all_but_first(call: ToolCall) -> None:
        if call.arguments["incident_id"] == first:
            raise TemporalUnavailable("for this one")
        await resume(call)

    monkeypatch.setattr(sweeper, "_resume_call", resume_all_but_first)
    monkeypatch.setattr(tool_call_sweeper, "OVERDUE_AFTER", timedelta())
    assert await sweeper.sweep_once() == 1
    await system.until_workflow_knows(second, "acknowledged")
    assert system.account.incident(first).status == "triggered"


async def test_a_resolved_incident_whose_workflow_has_completed_is_reopened(system: System) -> None:
    incident = await system.page()
    await system.act(incident, "resolve")
    await system.settle()
    handle = system.temporal.get_workflow_handle(system.ref(incident).workflow_id)
    await handle.terminate("as if its day were over")
    await system.act(incident, "reopen")
    await system.until_workflow_knows(incident, "triggered")
    await system.settle()
    assert system.account.incident(incident).status == "triggered"
    assert (await system.told(incident))[2:] == ["reopened by test via Calmo"]


async def test_no_text_and_no_name_is_in_a_history(system: System) -> None:
    incident = await system.page("TITLE-CANARY")
    person = system.a_key(person="PERSON-CANARY")
    answer = await system.act(incident, "add_note", headers=person, content="NOTE-CANARY")
    for workflow_id in (system.ref(incident).workflow_id, answer["workflow_id"]):
        history = await system.temporal.get_workflow_handle(workflow_id).fetch_history()
        text = history.to_json()
        assert "NOTE-CANARY" not in text
        assert "PERSON-CANARY" not in text
        assert "TITLE-CANARY" not in text
