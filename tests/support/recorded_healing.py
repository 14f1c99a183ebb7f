"""Runs of comparisons and examinations whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.tools.permissions import Switch
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK
from tests.support.healing_service import Healed
from tests.support.tool_service import TOKEN, WRITES_ON
from workflows import names
from workflows.doctor import DoctorStart

#: Returns the workflow's id.
Scenario = Callable[[Healed], Awaitable[str]]


async def reconciled(healed: Healed) -> str:
    """Nothing had arrived; the log is read in two pieces."""
    healed.past.live(3, 9)
    found = await healed.reconcile(since=healed.past.begins_at - timedelta(hours=6))
    assert found["opened"] == 3
    return names.reconcile_workflow_id(healed.connection_id)


async def reconcile_tried_again(healed: Healed) -> str:
    healed.past.live(2, 4)
    healed.service.site.faults.fail_next("500", operation="listLogEntries")
    found = await healed.reconcile(since=healed.past.begins_at)
    assert found["opened"] == 2
    return names.reconcile_workflow_id(healed.connection_id)


async def reconcile_refused(healed: Healed) -> str:
    healed.service.site.revoke_token(TOKEN)
    assert (await healed.reconcile(since=healed.past.begins_at))["problem"]
    return names.reconcile_workflow_id(healed.connection_id)


async def reconcile_without_token(healed: Healed) -> str:
    healed.database.write_blocking(
        lambda t: connections.update_connection(t, healed.connection_id, token_kind=None, token_sealed=None)
    )
    assert (await healed.reconcile())["problem"]
    return names.reconcile_workflow_id(healed.connection_id)


async def examined(healed: Healed) -> str:
    await healed.examine()
    return names.doctor_workflow_id(healed.connection_id)


async def examined_and_enabled(healed: Healed) -> str:
    """PagerDuty has switched the subscription off; a comparison follows."""
    rules = {**WRITES_ON.switches, ENABLE_WEBHOOK: Switch.ALLOW}
    healed.service.permit(WRITES_ON.model_copy(update={"switches": rules}))
    healed.subscription.disabled_until = healed.service.site.sender.clock.now() + timedelta(hours=24)
    await healed.temporal.execute_workflow(
        names.DOCTOR_WORKFLOW,
        DoctorStart(connection_id=healed.connection_id),
        id=names.doctor_workflow_id(healed.connection_id),
        task_queue=healed.service.ingress.services.settings.task_queue,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.CONNECTION, healed.connection_id)]
        ),
    )
    await healed.temporal.get_workflow_handle(names.reconcile_workflow_id(healed.connection_id)).result()
    return names.doctor_workflow_id(healed.connection_id)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        reconciled, reconcile_tried_again, reconcile_refused, reconcile_without_token, examined,
        examined_and_enabled,
    )
}  # fmt: skip
