"""Escalation drills whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.snapshots.model import AccountSnapshot
from ingress.escalation.drill_starting import start_drill
from tests.support.builders import new_id
from tests.support.connected import WRITES_ON
from tests.support.snapshot_over_rest import snapshot_over_rest
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System
from workflows import names
from workflows.escalation_drill import DrillStart

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


async def hold(system: System, **start: object) -> tuple[str, Drill]:
    """Hold a drill to its end. Return the workflow's id and the drill."""
    services = system.ingress.services
    order = DrillStart.model_validate(
        {
            "connection_id": system.connection_id,
            "service_id": service_of(system),
            "watch_seconds": 1,
            "look_every_seconds": 1,
            **start,
        }
    )
    drill_id = await start_drill(system.temporal, services.settings.task_queue, "organization:acme", order)
    workflow_id = names.drill_workflow_id(system.connection_id, order.service_id)
    await system.temporal.get_workflow_handle(workflow_id).result()
    drill = system.database.read_blocking(lambda tx: drills.get_drill(tx, drill_id))
    assert drill is not None
    return workflow_id, drill


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


SCENARIOS: Mapping[str, Scenario] = {
    "drill_held": drill_held,
    "drill_refused": drill_refused,
    "drill_that_may_not_escalate": drill_that_may_not_escalate,
}
