"""Escalation drills whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.snapshots.model import AccountSnapshot
from ingress.escalation.drill_starting import start_drill
from tests.support.builders import new_id
from tests.support.healing_service import Healed
from tests.support.snapshot_over_rest import snapshot_over_rest
from tests.support.snapshots import store_snapshot_of
from tests.support.tool_service import WRITES_ON
from workflows import names
from workflows.escalation_drill import DrillStart

#: Returns the workflow's id.
Scenario = Callable[[Healed], Awaitable[str]]


def service_of(healed: Healed) -> str:
    return str(next(iter(healed.service.site.account.services)))


async def stored_snapshot(healed: Healed) -> AccountSnapshot:
    """Take a snapshot of PagerDuty's side and store it."""
    read = await snapshot_over_rest(healed.service.site.account)
    return store_snapshot_of(
        healed.database, replace(read, id=new_id("snap_"), connection_id=healed.connection_id)
    )


def name_service(healed: Healed, service_id: str | None = None) -> None:
    """Name the service for drills, with the rights of the test's own API key."""
    key_id = healed.service.headers["Authorization"].split("_")[1]
    named = DrillService(service_id or service_of(healed), key_id, datetime.now(UTC), None)
    healed.database.write_blocking(lambda tx: drills.upsert_drill_service(tx, healed.connection_id, named))


async def hold(healed: Healed, **start: object) -> tuple[str, Drill]:
    """Hold a drill to its end. Return the workflow's id and the drill."""
    services = healed.service.ingress.services
    order = DrillStart.model_validate(
        {
            "connection_id": healed.connection_id,
            "service_id": service_of(healed),
            "watch_seconds": 1,
            "look_every_seconds": 1,
            **start,
        }
    )
    drill_id = await start_drill(healed.temporal, services.settings.task_queue, "organization:acme", order)
    workflow_id = names.drill_workflow_id(healed.connection_id, order.service_id)
    await healed.temporal.get_workflow_handle(workflow_id).result()
    drill = healed.database.read_blocking(lambda tx: drills.get_drill(tx, drill_id))
    assert drill is not None
    return workflow_id, drill


async def drill_held(healed: Healed) -> str:
    await stored_snapshot(healed)
    name_service(healed)
    return (await hold(healed))[0]


async def drill_refused(healed: Healed) -> str:
    await stored_snapshot(healed)
    return (await hold(healed))[0]


async def drill_that_may_not_escalate(healed: Healed) -> str:
    """Only opening and resolving are allowed: the other steps are left out."""
    await stored_snapshot(healed)
    name_service(healed)
    switches = {
        "tool:create_incident": WRITES_ON.switches["risk:high"],
        "tool:resolve_incident": WRITES_ON.switches["risk:high"],
    }
    healed.service.permit(WRITES_ON.model_copy(update={"switches": switches}))
    return (await hold(healed))[0]


SCENARIOS: Mapping[str, Scenario] = {
    "drill_held": drill_held,
    "drill_refused": drill_refused,
    "drill_that_may_not_escalate": drill_that_may_not_escalate,
}
