"""Runs of comparisons and examinations whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.tools.permissions import Switch
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK
from tests.support.connected import TOKEN, WRITES_ON
from tests.support.system import System
from workflows import names
from workflows.doctor import DoctorStart

#: Returns the workflow's id.
Scenario = Callable[[System], Awaitable[str]]


async def reconciled(system: System) -> str:
    """Nothing had arrived; the log is read in two pieces."""
    system.past.live(3, 9)
    found = await system.reconcile(since=system.past.begins_at - timedelta(hours=6))
    assert found["opened"] == 3
    return names.reconcile_workflow_id(system.connection_id)


async def reconcile_tried_again(system: System) -> str:
    system.past.live(2, 4)
    system.site.faults.fail_next("500", operation="listLogEntries")
    found = await system.reconcile(since=system.past.begins_at)
    assert found["opened"] == 2
    return names.reconcile_workflow_id(system.connection_id)


async def reconcile_refused(system: System) -> str:
    system.site.revoke_token(TOKEN)
    assert (await system.reconcile(since=system.past.begins_at))["problem"]
    return names.reconcile_workflow_id(system.connection_id)


async def reconcile_without_token(system: System) -> str:
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, token_kind=None, token_sealed=None)
    )
    assert (await system.reconcile())["problem"]
    return names.reconcile_workflow_id(system.connection_id)


async def examined(system: System) -> str:
    await system.examine()
    return names.doctor_workflow_id(system.connection_id)


async def examined_and_enabled(system: System) -> str:
    """PagerDuty has switched the subscription off; a comparison follows."""
    rules = {**WRITES_ON.switches, ENABLE_WEBHOOK: Switch.ALLOW}
    system.permit(WRITES_ON.model_copy(update={"switches": rules}))
    system.subscription.disabled_until = system.site.sender.clock.now() + timedelta(hours=24)
    await system.temporal.execute_workflow(
        names.DOCTOR_WORKFLOW,
        DoctorStart(connection_id=system.connection_id),
        id=names.doctor_workflow_id(system.connection_id),
        task_queue=system.ingress.services.settings.task_queue,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.CONNECTION, system.connection_id)]
        ),
    )
    await system.temporal.get_workflow_handle(names.reconcile_workflow_id(system.connection_id)).result()
    return names.doctor_workflow_id(system.connection_id)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        reconciled, reconcile_tried_again, reconcile_refused, reconcile_without_token, examined,
        examined_and_enabled,
    )
}  # fmt: skip
