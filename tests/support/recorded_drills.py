"""Escalation drills whose histories are recorded."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill_service import BegunDrill, DrillHolder, DrillToBegin
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
from calmo_pagerduty.tools.classes import Risk
from ingress.escalation.drill_starting import start_drill
from tests.support.builders import new_id
from tests.support.connected import WRITES_ON
from tests.support.eventually import eventually
from tests.support.patience import STORY
from tests.support.snapshot_over_rest import snapshot_over_rest
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System
from workflows import names
from workflows.escalation_drill import DrillStart
from workflows.tool_call import call_workflow_options

Json = dict[str, Any]
#: Returns the workflow's id.
Scenario = Callable[[System], Awaitable[str]]


def service_of(system: System) -> str:
    return str(next(iter(system.site.account.services)))


async def stored_snapshot(system: System) -> AccountSnapshot:
    """Take a snapshot of PagerDuty's side and store it."""
    read = await snapshot_over_rest(system.site.account)
    return store_snapshot_of(
        system.database, replace(read, id=new_id("snap_"), connection_id=system.connection_id)
    )


def name_service(system: System, service_id: str | None = None) -> None:
    """Name the service for drills, with the rights of the test's own API key."""
    key_id = system.headers["Authorization"].split("_")[1]
    named = DrillService(service_id or service_of(system), key_id, datetime.now(UTC), None)
    system.database.write_blocking(lambda tx: drills.upsert_drill_service(tx, system.connection_id, named))


async def begin(system: System, **start: object) -> tuple[str, str]:
    """Start a drill. Return the workflow's id and the drill's."""
    order = DrillStart.model_validate(
        {
            "connection_id": system.connection_id,
            "service_id": service_of(system),
            "watch_seconds": 1,
            "look_every_seconds": 1,
            **start,
        }
    )
    drill_id = await start_drill(system.temporal, system.task_queue, "organization:acme", order)
    return names.drill_workflow_id(system.connection_id, order.service_id), drill_id


async def hold(system: System, **start: object) -> tuple[str, Drill]:
    """Hold a drill to its end. Return the workflow's id and the drill."""
    workflow_id, drill_id = await begin(system, **start)
    await system.temporal.get_workflow_handle(workflow_id).result()
    return workflow_id, stored_drill(system, drill_id)


def stored_drill(system: System, drill_id: str) -> Drill:
    drill = system.database.read_blocking(lambda tx: drills.get_drill(tx, drill_id))
    assert drill is not None
    return drill


def drill_path(system: System, drill_id: str) -> str:
    return f"/api/connections/{system.connection_id}/escalation/drills/{drill_id}"


async def shown(system: System, drill_id: str, condition: Callable[[Json], bool]) -> Json:
    """Wait until the drill that REST shows fulfils a condition, and return it."""

    async def show() -> Json:
        answer = await system.http.get(drill_path(system, drill_id), headers=system.headers)
        return dict(answer.json())

    return await eventually(show, lambda drill: "state" in drill and condition(drill), STORY)


async def cancel(system: System, drill_id: str) -> Json:
    """Cancel a drill over REST, and wait for its end."""
    path = f"{drill_path(system, drill_id)}/cancel"
    answer = await system.http.post(path, headers=system.headers)
    assert answer.status_code == 202, answer.text
    return await shown(system, drill_id, lambda drill: drill["finished_at"] is not None)


async def drill_cancelled(system: System) -> str:
    """Somebody cancels it while it is watched."""
    await stored_snapshot(system)
    name_service(system)
    workflow_id, drill_id = await begin(system, watch_seconds=600)
    await shown(system, drill_id, lambda drill: drill["state"] == "watching")
    await cancel(system, drill_id)
    return workflow_id


async def drill_cancelled_before_its_approval(system: System) -> str:
    """Its opening waits for an approval, and somebody cancels it."""
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.HIGH})}))
    workflow_id, drill_id = await begin(system)
    await shown(system, drill_id, lambda drill: drill["waits_for_call"] is not None)
    await cancel(system, drill_id)
    return workflow_id


async def drill_held(system: System) -> str:
    await stored_snapshot(system)
    name_service(system)
    return (await hold(system))[0]


async def drill_refused(system: System) -> str:
    await stored_snapshot(system)
    return (await hold(system))[0]


async def drill_that_may_not_escalate(system: System) -> str:
    """Only opening and resolving are allowed: the other steps are left out."""
    await stored_snapshot(system)
    name_service(system)
    switches = {
        "tool:create_incident": WRITES_ON.switches["risk:high"],
        "tool:resolve_incident": WRITES_ON.switches["risk:high"],
    }
    system.permit(WRITES_ON.model_copy(update={"switches": switches}))
    return (await hold(system))[0]


@contextlib.contextmanager
def starting_calls_first(system: System, then: Callable[[ToolCallTicket], Awaitable[None]]) -> Iterator[None]:
    """Start the workflow of a drill's opening call before the drill does, as our sweeper may."""
    begin_drill = DrillHolder.begin

    async def begin_and_start(holder: DrillHolder, order: DrillToBegin) -> BegunDrill:
        begun = await begin_drill(holder, order)
        assert begun.ticket is not None
        await system.temporal.start_workflow(
            names.TOOL_CALL_WORKFLOW, task_queue=system.task_queue, **call_workflow_options(begun.ticket)
        )
        await then(begun.ticket)
        return begun

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DrillHolder, "begin", begin_and_start)
        yield


async def hold_after_an_early_approval(system: System) -> tuple[str, Drill]:
    """Its opening is approved, and by that started, before the drill starts it."""
    await stored_snapshot(system)
    name_service(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset({Risk.HIGH})}))

    async def approve(ticket: ToolCallTicket) -> None:
        headers = system.a_key(person="an approver")
        answer = await system.http.post(f"/api/tool-calls/{ticket.call_id}/approve", json={}, headers=headers)
        assert answer.is_success, answer.text

    with starting_calls_first(system, approve):
        return await hold(system)


async def drill_approved_early(system: System) -> str:
    return (await hold_after_an_early_approval(system))[0]


SCENARIOS: Mapping[str, Scenario] = {
    "drill_approved_early": drill_approved_early,
    "drill_cancelled": drill_cancelled,
    "drill_cancelled_before_its_approval": drill_cancelled_before_its_approval,
    "drill_held": drill_held,
    "drill_refused": drill_refused,
    "drill_that_may_not_escalate": drill_that_may_not_escalate,
}
