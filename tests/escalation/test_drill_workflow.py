"""A drill from its opening to its end: real Temporal, and a simulated PagerDuty that delivers webhooks."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import is_cancelled_exception
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.db import tables
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill import DrillState
from calmo_pagerduty.escalation.drill_service import DrillToBegin
from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import Switch
from pagerduty_simulator.resources import IncidentStatus
from tests.support.connected import WRITES_ON
from tests.support.doors import rows
from tests.support.drills import new_drill
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import STORY
from tests.support.recorded_drills import (
    begin,
    cancel,
    drill_path,
    hold,
    hold_after_an_early_approval,
    name_service,
    service_of,
    shown,
    starting_calls_first,
    stored_snapshot,
)
from tests.support.system import System, running_system


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), webhooks=True) as found:
        yield found


async def is_started(system: System, call_id: str) -> bool:
    """Whether the workflow of a call runs."""
    handle = system.temporal.get_workflow_handle(tool_call_workflow_id(system.connection_id, call_id))
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def told(system: System) -> None:
    await system.site.sender.drained(STORY)
    await system.until_applied()


async def test_a_drill_pages_escalates_acknowledges_resolves_and_is_no_issue(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    _, drill = await hold(system)
    await told(system)
    assert drill.state is DrillState.DONE
    assert drill.incident_id is not None
    assert drill.escalated_at is not None
    assert drill.acknowledged_at is not None
    assert drill.report is not None
    assert drill.report["differences"] == []
    assert drill.report["notes"] == []
    assert drill.report["seen_pages"] >= 1
    assert {page["verdict"] for page in drill.report["pages"]} <= {"as_simulated", "not_due"}
    account = system.site.account
    assert account.incidents[drill.incident_id].status is IncidentStatus.RESOLVED
    assert drill.incident_id not in system.issues()
    states = {
        row.state for row in rows(system.database, tables.deliveries) if row.incident_id == drill.incident_id
    }
    assert states == {DeliveryState.RECORDED}
    # Neither does reconciliation make an issue of it.
    await system.reconcile()
    assert drill.incident_id not in system.issues()


async def test_an_incident_with_a_key_that_only_looks_like_a_drill_s_is_an_ordinary_issue(
    system: System,
) -> None:
    account = system.site.account
    events = account.trigger(service_of(system), "Real", incident_key="calmo-drill-0123456789")
    await system.deliver(events)
    assert str(events[0].incident_id) in system.issues()


async def test_a_service_that_was_not_named_gets_no_drill(system: System) -> None:
    await stored_snapshot(system)
    before = len(system.site.account.incidents)
    _, drill = await hold(system)
    assert drill.state is DrillState.REFUSED
    assert drill.report is not None
    assert drill.report["refusal"].startswith("the service was not named for drills: calmo-pagerduty")
    assert len(system.site.account.incidents) == before


async def test_a_drill_that_could_not_end_by_itself_is_refused(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.MEDIUM})}))
    _, drill = await hold(system)
    assert drill.state is DrillState.REFUSED
    assert drill.report is not None
    assert "must be able to resolve its incident by itself" in drill.report["refusal"]


async def test_a_drill_that_may_not_open_its_incident_is_refused_with_the_reason(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"switches": {"risk:medium": Switch.ALLOW}}))
    _, drill = await hold(system)
    assert drill.state is DrillState.REFUSED
    assert drill.report is not None
    assert "create_incident" in drill.report["refusal"]
    assert drill.finished_at is not None
    asked = {"service": service_of(system)}
    path = f"/api/connections/{system.connection_id}/escalation/drills"
    answer = await system.http.post(path, json=asked, headers=system.headers)
    assert (answer.status_code, "create_incident" in answer.text) == (409, True)


async def test_a_drill_is_watched_and_cancelled_and_its_incident_ends(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    workflow_id, drill_id = await begin(system, watch_seconds=600)
    watched = await shown(system, drill_id, lambda drill: bool(drill["report"]))
    assert watched["state"] == "watching"
    assert watched["report"]["is_final"] is False
    seen = [page for page in watched["report"]["pages"] if page["seen_after_minutes"] is not None]
    assert seen
    assert seen[0]["verdict"] == "as_simulated"
    # A second drill of the service is refused while this one is open, also one of a schedule.
    named = {"connection_id": system.connection_id, "service_id": service_of(system)}
    order = DrillToBegin(drill_id="drill_of_a_schedule", **named)
    busy = await system.ingress.services.drill_holder.begin(order)
    assert drill_id in busy.refusal
    ended = await cancel(system, drill_id)
    assert ended["state"] == "cancelled"
    assert ended["report"]["is_final"] is True
    assert system.site.account.incidents[ended["incident_id"]].status is IncidentStatus.RESOLVED
    with pytest.raises(WorkflowFailureError) as failure:
        await system.temporal.get_workflow_handle(workflow_id).result()
    assert is_cancelled_exception(failure.value.cause)
    again = await system.http.post(f"{drill_path(system, drill_id)}/cancel", headers=system.headers)
    assert (again.status_code, "is over: cancelled" in again.text) == (409, True)
    await told(system)
    assert system.issues() == {}


async def test_an_opening_that_needs_an_approval_pages_nobody_before(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.HIGH})}))
    before = len(system.site.account.incidents)
    for approve, state in ((False, "refused"), (True, "done")):
        workflow_id, drill_id = await begin(system)
        waiting = await shown(system, drill_id, lambda drill: drill["waits_for_call"] is not None)
        assert waiting["state"] == "opening"
        assert len(system.site.account.incidents) == before
        # Its row says that it waits before the drill starts the call's workflow, which hears the decision.
        await eventually(partial(is_started, system, waiting["waits_for_call"]))
        decision = "approve" if approve else "deny"
        call = f"/api/tool-calls/{waiting['waits_for_call']}/{decision}"
        answer = await system.http.post(call, json={}, headers=system.a_key(person="an approver"))
        assert answer.is_success, answer.text
        ended = await shown(system, drill_id, lambda drill: drill["finished_at"] is not None)
        assert ended["state"] == state
        assert ended["waits_for_call"] is None
        assert ("is denied" in str(ended["report"])) is not approve
        # Its row says that it is finished before its workflow ends, and until then it is the service's drill.
        await system.temporal.get_workflow_handle(workflow_id).result()
    assert len(system.site.account.incidents) == before + 1
    assert system.site.account.incidents[ended["incident_id"]].status is IncidentStatus.RESOLVED


async def test_a_drill_that_was_cancelled_before_its_approval_never_pages(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.HIGH})}))
    before = len(system.site.account.incidents)
    _, drill_id = await begin(system)
    waiting = await shown(system, drill_id, lambda drill: drill["waits_for_call"] is not None)
    ended = await cancel(system, drill_id)
    assert (ended["state"], ended["incident_id"]) == ("cancelled", None)
    late = await system.http.post(
        f"/api/tool-calls/{waiting['waits_for_call']}/approve",
        json={},
        headers=system.a_key(person="an approver"),
    )
    assert not late.is_success
    assert len(system.site.account.incidents) == before


async def test_a_drill_waits_for_its_call_if_somebody_else_started_the_call_s_workflow(
    system: System,
) -> None:
    _, drill = await hold_after_an_early_approval(system)
    assert drill.state is DrillState.DONE
    assert drill.incident_id is not None
    # It went on as usual, and did not only clean up.
    assert drill.escalated_at is not None
    assert system.site.account.incidents[drill.incident_id].status is IncidentStatus.RESOLVED


async def test_a_cancelled_drill_cancels_its_call_also_if_somebody_else_started_it(
    system: System,
) -> None:
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.HIGH})}))
    before = len(system.site.account.incidents)
    calls: list[ToolCallTicket] = []

    async def remember(ticket: ToolCallTicket) -> None:
        calls.append(ticket)

    with starting_calls_first(system, remember):
        workflow_id, drill_id = await begin(system)
        await shown(system, drill_id, lambda drill: drill["waits_for_call"] is not None)

    async def follows() -> bool:
        history = await system.temporal.get_workflow_handle(workflow_id).fetch_history()
        return any(
            event.HasField("start_child_workflow_execution_failed_event_attributes")
            for event in history.events
        )

    await eventually(follows)
    ended = await cancel(system, drill_id)
    assert (ended["state"], ended["incident_id"]) == ("cancelled", None)
    [ticket] = calls
    call = system.temporal.get_workflow_handle(tool_call_workflow_id(system.connection_id, ticket.call_id))
    with pytest.raises(WorkflowFailureError) as failure:
        await call.result()
    assert is_cancelled_exception(failure.value.cause)
    assert len(system.site.account.incidents) == before


async def test_a_drill_whose_workflow_was_lost_is_ended_after_its_deadline(system: System) -> None:
    await stored_snapshot(system)
    account = system.site.account
    now = datetime.now(UTC)
    lost = new_drill(system.connection_id, now)
    events = account.trigger(service_of(system), "Drill", incident_key=lost.incident_key)
    incident_id = str(events[0].incident_id)
    key_id = system.headers["Authorization"].split("_")[1]

    row = replace(lost, service_id=service_of(system), incident_id=incident_id, key_id=key_id)
    system.database.write_blocking(lambda tx: drills.insert_drill(tx, row))
    sweeper = system.ingress.drill_sweeper
    assert await sweeper.sweep_once(now) == 0
    assert await sweeper.sweep_once(now + timedelta(minutes=20)) == 1

    async def state() -> DrillState:
        drill = system.database.read_blocking(lambda tx: drills.get_drill(tx, lost.id))
        assert drill is not None
        return drill.state

    await eventually(state, lambda found: found is DrillState.DONE, STORY)
    assert account.incidents[incident_id].status is IncidentStatus.RESOLVED


async def test_a_drill_in_a_keys_name_needs_the_proof_of_our_api(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    before = len(system.site.account.incidents)
    victim = system.a_key(person="victim")["Authorization"].split("_")[1]
    _, drill = await hold(system, key_id=victim)
    assert drill.state is DrillState.REFUSED
    assert drill.report is not None
    assert "no proof" in drill.report["refusal"]
    assert len(system.site.account.incidents) == before
